"""`manage.py apply_rules`: apply queue rules once, as the worker does every few seconds."""

from argparse import ArgumentParser
from typing import Any

from django.template.defaultfilters import pluralize

from reviewapp.accounts.models import Project
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project
from reviewapp.queues.models import Rule
from reviewapp.queues.rules.dry_run import DRY_RUN_DAYS, dry_run_rule
from reviewapp.queues.rules.runner import apply_due_rules


class Command(DeskCommand):
    help = "Apply all rules to new and changed traces until none are left."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="only the rules of this project")
        parser.add_argument(
            "--dry-run", action="store_true", help="only print what the rules would have added in the last days"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = get_project(options["project"]) if options["project"] else None
        if options["dry_run"]:
            self._print_dry_run(project)
            return
        total = 0
        while count := apply_due_rules(project):
            total += count
        self.stdout.write(f"Applied rules to {total:,} trace{pluralize(total)}.")

    def _print_dry_run(self, project: Project | None) -> None:
        rules = Rule.objects.filter(is_on=True).select_related("queue__project").order_by("queue", "name")
        for rule in rules if project is None else rules.filter(queue__project=project):
            dry_run = dry_run_rule(rule)
            self.stdout.write(
                f"{rule.name} ({rule.queue.slug}): would have added {dry_run.added:,}"
                f" trace{pluralize(dry_run.added)} in the last {DRY_RUN_DAYS} days; {dry_run.matching:,} matched"
                f"{' (newest traces only)' if dry_run.is_cut else ''}."
            )
