"""`manage.py createadmin`: add an admin to a project."""

from argparse import ArgumentParser

from reviewapp.accounts.models import Role
from reviewapp.management.commands import add_person


class Command(add_person.Command):
    help = "Add an admin to a project; the same as add_person with --role admin."

    def add_role(self, parser: ArgumentParser) -> None:
        parser.set_defaults(role=Role.ADMIN.value)
