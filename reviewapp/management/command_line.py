"""The command `review-desk`: the commands of `manage.py`, without a checkout."""

import os
import sys

from django.core.management import execute_from_command_line

# Starts the web app; more arguments may follow.
GUNICORN = ["-m", "gunicorn", "reviewapp.wsgi", "--config", "python:reviewapp.lib.http_server.gunicorn_config"]


def main() -> None:
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewapp.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
