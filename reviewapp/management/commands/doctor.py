"""`manage.py doctor`: check what an operator can get wrong."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.doctor import examine


class Command(DeskCommand):
    help = (
        "Check settings, secrets, the data folder, the database, clocks, workers, Laminar and backups, and say how to"
        " mend each problem. Changes nothing. Exits with 1 if there is a problem."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--backups", type=Path, metavar="FOLDER", help="where backups are written every day")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = list(examine(options["backups"]))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings]))
        else:
            for finding in findings:
                text = f"PROBLEM  {finding.check}: {finding.problem} {finding.mend}" if finding.problem else ""
                self.stdout.write(text or f"OK       {finding.check}")
        if any(finding.problem for finding in findings):
            sys.exit(1)
