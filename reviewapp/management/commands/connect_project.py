"""`manage.py connect_project`: create or change a project and set its Laminar key."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from reviewapp.keys import laminar_keys
from reviewapp.lib.invisible_chars import reveal
from reviewapp.management.command_actor import get_command_actor
from reviewapp.management.command_errors import to_command_error
from reviewapp.management.desk_command import DeskCommand


class Command(DeskCommand):
    help = "Create a project, or change its URLs and key. The key is tested against Laminar first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--url", required=True, help="base URL of Laminar's API, for example https://api.lmnr.ai")
        parser.add_argument("--ui-url", default="", help="base URL of Laminar's UI, for links to traces")
        parser.add_argument(
            "--key-stdin", action="store_true", required=True, help="read the Laminar key from standard input"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = sys.stdin.readline()
        try:
            project = laminar_keys.connect_project(
                options["slug"], options["name"], options["url"], options["ui_url"], secret, get_command_actor()
            )
        except laminar_keys.KeyNotStored as error:
            raise CommandError(str(error)) from None
        except ValidationError as error:
            raise to_command_error(error) from None
        key = laminar_keys.get_active_key(project)
        result = {
            "project": project.slug,
            "url": project.base_url,
            "key": f"…{key.last_four}" if key else "",
            "kind": key.kind if key else "",
        }
        if options["json"]:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write(
                f"{reveal(project.name)} is connected to {result['url']} with the {result['kind']} key {result['key']}."
            )
