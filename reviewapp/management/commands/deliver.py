"""`manage.py deliver`: run the worker."""

import asyncio
import json
import signal
from argparse import ArgumentParser
from typing import Any

from reviewapp.delivery.models import Patch
from reviewapp.lib import deadline
from reviewapp.lib.database_use import register_use
from reviewapp.management.desk_command import DeskCommand
from reviewapp.worker.loop import Worker


class Command(DeskCommand):
    help = "Run the worker: push waiting reviews to Laminar, read them back, pull traces, and apply queue rules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, then exit")
        parser.add_argument(
            "--json", action="store_true", help="with --once: print the number of patches in each state as JSON"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        deadline.limit_statements()
        register_use()
        if options["once"]:
            asyncio.run(Worker().run_once())
            self._print_states(as_json=options["json"])
        else:
            asyncio.run(_run_until_signal())

    def _print_states(self, *, as_json: bool) -> None:
        states = Patch.objects.by_state()
        if as_json:
            self.stdout.write(json.dumps(states))
        else:
            self.stdout.write(", ".join(f"{count} {state}" for state, count in states.items()) + ".")


async def _run_until_signal() -> None:
    worker = Worker()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, worker.stop.set)
    await worker.run()
