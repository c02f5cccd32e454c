"""`manage.py runserver`: Django's server for development, with a link for the first admin."""

from django.contrib.staticfiles.management.commands import runserver

from reviewapp.onboarding.setup_links import describe_setup_link, get_origin


class Command(runserver.Command):
    """Prints the link once the server listens."""

    def on_bind(self, server_port: int) -> None:
        super().on_bind(server_port)
        origin = get_origin(f"{self.addr}:{server_port}")  # type: ignore[attr-defined]
        self.stdout.write(describe_setup_link(origin), ending="")
