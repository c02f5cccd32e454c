"""`manage.py verify_audit`: verify the audit logs, by themselves and against exported heads."""

import json
from argparse import ArgumentParser, FileType
from io import TextIOBase
from typing import Any

from django.core.management.base import CommandError
from django.template.defaultfilters import pluralize

from reviewapp.accounts.models import Project
from reviewapp.audit import heads, verification
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project


class Command(DeskCommand):
    help = (
        "Verify that no event of the audit logs was changed, removed or inserted. Only a head that was exported before"
        " shows that the end of a log was cut off: the worker appends heads to AUDIT_HEADS_FILE."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="the slug of one project; all by default")
        parser.add_argument("--head", type=FileType(encoding="utf-8", errors="replace"), help="exported heads")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = [get_project(options["project"])] if options["project"] else list(Project.objects.order_by("slug"))
        problems = {project.slug: find_problems(project) for project in projects}
        if options["head"] is not None:
            slugs = {project.pk: project.slug for project in projects}
            self._check_heads(options["head"], slugs, problems, is_complete=not options["project"])
        for slug, sentences in problems.items():
            if not options["json"]:
                self.stdout.write(f"{slug}: {' '.join(sentences) or 'intact'}")
        if options["json"]:
            self.stdout.write(json.dumps(problems))
        if count := sum(map(bool, problems.values())):
            raise CommandError(f"{count} audit log{pluralize(count)} cannot be trusted.")

    def _check_heads(
        self, file: TextIOBase, slugs: dict[int, str], problems: dict[str, list[str]], *, is_complete: bool
    ) -> None:
        """Add what is wrong by the heads in `file`; those of other projects are left out unless all are verified."""
        with file:
            exported, unreadable = heads.parse_heads(file)
        if unreadable or not exported:
            line = f"line {unreadable[0]} is not" if unreadable else "no line is"
            raise CommandError(f"The file of heads cannot be read: {line} an exported head.")
        for head in exported:
            slug = slugs.get(head.project_id, head.project if is_complete else "")
            if slug and (sentence := heads.find_problem(head)) and sentence not in problems.setdefault(slug, []):
                problems[slug].append(sentence)


def find_problems(project: Project) -> list[str]:
    """Say in sentences what is wrong with a project's log by itself."""
    if count := verification.count_unsealed(project):
        return [f"{count:,} event{pluralize(count)} not sealed."]
    seq = verification.find_first_broken(project)
    return [f"Event {seq} or one before it was changed, removed or inserted."] if seq is not None else []
