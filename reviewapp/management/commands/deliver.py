"""`manage.py deliver`: the worker."""

import asyncio
import json
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from reviewapp.delivery.models import Patch
from reviewapp.queues.rules.runner import apply_due_rules
from reviewapp.worker.loop import Worker


class Command(BaseCommand):
    help = "Push waiting reviews to Laminar, read them back, pull the traces that reviewers will open, apply rules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, then end")
        parser.add_argument("--json", action="store_true", help="with --once: print how many patches are in each state")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            asyncio.run(_once())
            self._report(as_json=options["json"])
        else:
            asyncio.run(_until_told())

    def _report(self, *, as_json: bool) -> None:
        states = Patch.objects.by_state()
        if as_json:
            self.stdout.write(json.dumps(states))
        else:
            self.stdout.write(", ".join(f"{count} {state}" for state, count in states.items()) + ".")


async def _once() -> None:
    await Worker(extra_tasks=[apply_due_rules]).run_once()


async def _until_told() -> None:
    worker = Worker(extra_tasks=[apply_due_rules])
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, worker.stop.set)
    await worker.run()
