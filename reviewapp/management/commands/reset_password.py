"""`manage.py reset_password`: make a link by which a person sets a new password."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from reviewapp.accounts.models import Project, User
from reviewapp.lib.invisible_chars import reveal
from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.desk_command import DeskCommand
from reviewapp.people import links


class Command(DeskCommand):
    help = "Print a link by which a person sets a new password, for 24 hours. Their password works until then."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(User.normalize_username(options["username"]))
        except User.DoesNotExist:
            raise CommandError(f"There is no person “{options['username']}”. Nothing was changed.") from None
        project = Project.objects.filter(memberships__user=user).order_by("pk").first()
        if project is None:
            raise CommandError("The person has no project. Nothing was changed. Add them with manage.py add_person.")
        path = links.get_path(links.make_reset_link(project, user, get_command_actor()))
        self.stdout.write(f"{reveal(user.username)} sets a new password within 24 hours at {path} on the review desk.")
