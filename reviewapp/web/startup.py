"""Refuse to start with settings that are unsafe."""

import logging
import sys

from django.core.checks import ERROR, run_checks

from reviewapp.web.settings_checks import TAG

# Gunicorn's code for a process that cannot start, which stops it instead of starting another.
BOOT_ERROR = 3
logger = logging.getLogger("reviewapp.web.startup")


def require_safe_settings() -> None:
    """Log what is wrong with the settings. Raises SystemExit if it is an error."""
    messages = run_checks(tags=[TAG])
    for message in messages:
        logger.log(message.level, "%s %s", message.msg, message.hint)
    if any(message.level >= ERROR for message in messages):
        sys.stderr.write("The review desk did not start: its settings are not safe. See the lines above.\n")
        raise SystemExit(BOOT_ERROR)
