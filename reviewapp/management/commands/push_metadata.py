"""`manage.py push_metadata`: push metadata through the outbox, as the API does."""

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError
from django.template.defaultfilters import pluralize

from reviewapp.accounts.models import Project
from reviewapp.delivery.completion import check_patches
from reviewapp.delivery.intake import MAX_BATCH_SIZE, PutResult, count_existing, put_patches
from reviewapp.delivery.patch_validation import InvalidPatchError, PatchInput
from reviewapp.lib import canonical_json
from reviewapp.lib.invisible_chars import reveal
from reviewapp.lib.progress_bar import ProgressBar
from reviewapp.lib.shortening import shorten
from reviewapp.management import patch_lines
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.patch_lines import ParsedPatches
from reviewapp.management.project_lookup import get_project
from reviewapp.queues.key_conflicts import collect_warnings

# Exit codes other than 0: some patches were saved but not all were, or not all were delivered; nothing was saved.
INCOMPLETE, NOTHING_SAVED = 1, 2
# Lines printed of errors, and of the patches of a dry run.
MAX_PRINTED_LINES = 20
# Seconds between two checks while waiting.
POLL_INTERVAL = 0.5


class Command(DeskCommand):
    help = (
        "Push metadata to traces through the outbox, as reviews are pushed. Exits with 0 on success; with 1 when"
        " some patches were saved but not all, because of --keep-going or an interruption, or, with --wait, when"
        " patches are parked or not confirmed in time; with 2 when nothing was saved."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trace_id", nargs="?", default="")
        parser.add_argument("pairs", nargs="*", metavar="key=value", help="a value that is not JSON is a string")
        parser.add_argument("--project", required=True)
        parser.add_argument("--tag", action="append", default=[], help="a tag for the trace's top span; repeatable")
        parser.add_argument(
            "--file", help='lines of {"trace_id": "…", "metadata": {…}, "tags": […]}; - is the standard input'
        )
        parser.add_argument(
            "--keep-going", action="store_true", help="with --file: skip invalid lines, save the others"
        )
        parser.add_argument(
            "--idempotency-prefix", default="",
            help="the same patch is saved only once per prefix; with --file the default is the file's name",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="print what would be pushed, save nothing")
        parser.add_argument("--wait", action="store_true", help="wait until all patches are confirmed or parked")
        parser.add_argument("--timeout", type=float, default=600, help="with --wait: maximum seconds to wait")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._push(options)
        except DatabaseError as error:
            # Only before the first patch is saved: `_save` and `_wait` handle later errors.
            message = f"The database failed ({error}). Nothing was saved. Run the same command again."
            raise CommandError(message, returncode=NOTHING_SAVED) from None

    def _push(self, options: dict[str, Any]) -> None:
        try:
            project = get_project(options["project"])
            parsed = _parse_patches(options)
        except CommandError as error:
            raise CommandError(str(error), returncode=NOTHING_SAVED) from None
        if parsed.errors and not (options["keep_going"] and parsed.patches):
            raise CommandError(f"{_join_lines(parsed.errors)}\nNothing was saved.", returncode=NOTHING_SAVED)
        warnings = collect_warnings(project, parsed.patches)
        report: dict[str, Any] = {"warnings": warnings, "faults": parsed.errors}
        for warning in warnings:
            self.stderr.write(f"Warning: {reveal(warning)}")
        if options["dry_run"]:
            known_count = count_existing(project, parsed.patches)
            report = {"would_put": len(parsed.patches) - known_count, "known": known_count, **report}
            self._print(report, _preview(parsed.patches, known_count), as_json=options["json"])
            return
        results = self._save(project, parsed.patches, _source(options))
        new_count = sum(result.is_new for result in results)
        report = {"put": new_count, "known": len(results) - new_count, **report}
        outcomes = self._wait(project, results, options["timeout"]) if options["wait"] else Counter[str]()
        report["ended"] = dict(outcomes)
        self._print(report, _summary(new_count, len(results), outcomes), as_json=options["json"])
        if parsed.errors:
            raise CommandError(f"Skipped lines:\n{_join_lines(parsed.errors)}", returncode=INCOMPLETE)
        if set(outcomes) - {"confirmed", "accepted"}:
            raise CommandError("Not all patches were delivered. See the Deliveries page.", returncode=INCOMPLETE)

    def _save(self, project: Project, patches: list[PatchInput], source: str) -> list[PutResult]:
        results: list[PutResult] = []
        try:
            with ProgressBar("Saving", len(patches), sys.stderr) as progress:
                for start in range(0, len(patches), MAX_BATCH_SIZE):
                    results += put_patches(project, patches[start : start + MAX_BATCH_SIZE], source=source)
                    progress.update(len(results))
        except (DatabaseError, KeyboardInterrupt) as error:
            reason = "Stopped" if isinstance(error, KeyboardInterrupt) else f"The database failed ({error})"
            raise CommandError(
                f"{reason} after {len(results):,} of {len(patches):,} patches, which will be delivered. Run the same"
                " command again: with --file, a patch is not saved twice.",
                returncode=INCOMPLETE if results else NOTHING_SAVED,
            ) from None
        return results

    def _wait(self, project: Project, results: list[PutResult], seconds: float) -> Counter[str]:
        """Wait for the patches. Returns how many have each outcome; those not done in time are `on the way`."""
        remaining, outcomes = Counter(result.patch.pk for result in results), Counter[str]()
        deadline = time.monotonic() + seconds
        try:
            with ProgressBar("Confirming", len(results), sys.stderr) as progress:
                while remaining:
                    remaining, new_outcomes = check_patches(project, remaining)
                    outcomes += new_outcomes
                    progress.update(outcomes.total())
                    if time.monotonic() >= deadline:
                        break
                    time.sleep(POLL_INTERVAL if remaining else 0)
        except KeyboardInterrupt:
            # Only stop waiting: the patches are still delivered.
            pass
        except DatabaseError as error:
            message = (
                f"The database failed ({error}) while waiting. All patches are saved and will be delivered. See the"
                " Deliveries page."
            )
            raise CommandError(message, returncode=INCOMPLETE) from None
        return outcomes + Counter({"on the way": remaining.total()})

    def _print(self, report: dict[str, Any], text: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(report) if as_json else text)


def _parse_patches(options: dict[str, Any]) -> ParsedPatches:
    """Parse the patches of the arguments or of the file. Raises CommandError."""
    if options["file"] is None:
        if not options["trace_id"] or not options["pairs"]:
            raise CommandError(
                "Give a trace id and key=value pairs, or --file with one patch per line. Nothing was saved."
            )
        try:
            prefix = options["idempotency_prefix"]
            return ParsedPatches(
                [patch_lines.patch_from_arguments(options["trace_id"], options["pairs"], options["tag"], prefix)]
            )
        except InvalidPatchError as error:
            raise CommandError(f"{error} Nothing was saved.") from None
    if options["trace_id"] or options["tag"]:
        raise CommandError("With --file, you cannot give a trace id or tags: each line has its own. Nothing was saved.")
    prefix = options["idempotency_prefix"] or _file_name(options["file"])
    try:
        if options["file"] == "-":
            parsed = patch_lines.patches_from_lines(sys.stdin.buffer, prefix)
        else:
            with Path(options["file"]).open("rb") as file:
                parsed = patch_lines.patches_from_lines(file, prefix)
    except OSError as error:
        raise CommandError(f"Could not read the file: {error.strerror}. Nothing was saved.") from None
    if not parsed.patches and not parsed.errors:
        raise CommandError("The file has no patches. Nothing was saved.")
    return parsed


def _file_name(file: str) -> str:
    return "standard input" if file == "-" else Path(file).name


def _source(options: dict[str, Any]) -> str:
    """Return the source of the patches, as pages and the audit log show it."""
    name = "" if options["file"] is None else _file_name(options["file"])
    return shorten(f"command: {name}", 120) if name and name.isprintable() else "command"


def _join_lines(lines: list[str]) -> str:
    more = [f"… and {len(lines) - MAX_PRINTED_LINES:,} more"] if len(lines) > MAX_PRINTED_LINES else []
    return "\n".join([*lines[:MAX_PRINTED_LINES], *more])


def _preview(patches: list[PatchInput], known_count: int) -> str:
    lines = [
        f"{patch.trace_id} {canonical_json.dumps(patch.metadata)}"
        + (f" and the tags {canonical_json.dumps(patch.tags)}" if patch.tags else "")
        for patch in patches
    ]
    new_count = len(patches) - known_count
    summary = f"{new_count:,} patch{pluralize(new_count, 'es')} would be saved.{_known_sentence(known_count)}"
    return f"{_join_lines(lines)}\n{summary} Nothing was saved."


def _summary(new_count: int, total: int, outcomes: Counter[str]) -> str:
    saved = f"Saved {new_count:,} patch{pluralize(new_count, 'es')} for delivery to Laminar."
    saved += _known_sentence(total - new_count)
    return f"{saved} {', '.join(f'{count:,} {outcome}' for outcome, count in outcomes.items())}." if outcomes else saved


def _known_sentence(count: int) -> str:
    return f" {count:,} had been saved before." if count else ""
