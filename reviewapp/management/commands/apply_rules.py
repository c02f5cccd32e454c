"""`manage.py apply_rules`: what the worker does every few seconds, once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from reviewapp.management.project_lookup import get_project
from reviewapp.queues.models import Rule
from reviewapp.queues.rules.dry_run import DRY_RUN_DAYS, dry_run_rule
from reviewapp.queues.rules.runner import apply_due_rules


class Command(BaseCommand):
    help = "Let all rules look at the traces that have come or changed, until there are no more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="this one only")
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what they would take of the last days, had they been on"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = get_project(options["project"]) if options["project"] else None
        if options["dry_run"]:
            on = Rule.objects.filter(is_on=True).select_related("queue__project").order_by("queue", "name")
            for rule in on if project is None else on.filter(queue__project=project):
                seen = dry_run_rule(rule)
                self.stdout.write(
                    f"{rule.name} ({rule.queue.slug}): {seen.added:,} of the last {DRY_RUN_DAYS} days;"
                    f" {seen.matching:,} hold its pairs{', the newest only' if seen.is_cut else ''}."
                )
            return
        looked = 0
        while some := apply_due_rules(project):
            looked += some
        self.stdout.write(f"Rules looked at {looked:,} traces.")
