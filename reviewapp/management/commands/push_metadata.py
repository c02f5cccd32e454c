"""`manage.py push_metadata`: put metadata of a script on its way, as the API does."""

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from reviewapp.accounts.models import Project
from reviewapp.delivery.completion import check_patches
from reviewapp.delivery.intake import MAX_BATCH_SIZE, PutResult, count_existing, put_patches
from reviewapp.delivery.patch_input import InvalidPatchError, PatchInput
from reviewapp.lib import canonical_json
from reviewapp.lib.progress_bar import ProgressBar
from reviewapp.management import patch_lines
from reviewapp.management.patch_lines import ParsedPatches
from reviewapp.management.project_lookup import get_project
from reviewapp.queues.key_conflicts import collect_warnings

# Exit codes: all went well; something was put and something needs a look; nothing was put.
NEEDS_A_LOOK, NOTHING_PUT = 1, 2
# Lines shown of what is wrong, and of what a dry run would push.
SHOWN = 20
# Seconds between two looks while waiting.
PAUSE = 0.5


class Command(BaseCommand):
    help = (
        "Push metadata onto traces through the outbox, as a review is pushed. Ends with 0 when all went well; with 1"
        " when something was put and something needs a look: lines left out by --keep-going, a stop halfway, or, with"
        " --wait, patches that are parked or not confirmed in time; with 2 when nothing was put."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trace_id", nargs="?", default="")
        parser.add_argument(
            "pairs", nargs="*", metavar="key=value", help="the value is read as JSON if it is, else text"
        )
        parser.add_argument("--project", required=True)
        parser.add_argument("--tag", action="append", default=[], help="a name for the trace's top span; repeatable")
        parser.add_argument(
            "--file", help='lines of {"trace_id": "…", "metadata": {…}, "tags": […]}; - is the standard input'
        )
        parser.add_argument(
            "--keep-going", action="store_true", help="with --file: leave bad lines out, put the others"
        )
        parser.add_argument(
            "--idempotency-prefix", default="",
            help="the same under the same prefix is put once; with --file it is the file's name unless given",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="say what would be pushed, put nothing")
        parser.add_argument("--wait", action="store_true", help="wait until each is confirmed or parked")
        parser.add_argument("--timeout", type=float, default=600, help="with --wait: seconds to wait at most")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._push(options)
        except DatabaseError as error:
            # Once something is put, `_put` and `_wait` say so themselves.
            said = f"The database failed ({error}). Nothing was put. Run the same command again."
            raise CommandError(said, returncode=NOTHING_PUT) from None

    def _push(self, options: dict[str, Any]) -> None:
        try:
            project = get_project(options["project"])
            given = _given(options)
        except CommandError as error:
            raise CommandError(str(error), returncode=NOTHING_PUT) from None
        if given.faults and not (options["keep_going"] and given.patches):
            raise CommandError(f"{_listed(given.faults)}\nNothing was put.", returncode=NOTHING_PUT)
        warnings = collect_warnings(project, given.patches)
        told: dict[str, Any] = {"warnings": warnings, "faults": given.faults}
        for sentence in warnings:
            self.stderr.write(f"Warning: {sentence}")
        if options["dry_run"]:
            known = count_existing(project, given.patches)
            told = {"would_put": len(given.patches) - known, "known": known, **told}
            self._tell(told, _preview(given.patches, known), as_json=options["json"])
            return
        done = self._put(project, given.patches, _source(options))
        new = sum(one.is_new for one in done)
        told = {"put": new, "known": len(done) - new, **told}
        ended = self._wait(project, done, options["timeout"]) if options["wait"] else Counter[str]()
        self._tell({**told, "ended": dict(ended)}, _summary(new, len(done), ended), as_json=options["json"])
        if given.faults:
            raise CommandError(f"Left out:\n{_listed(given.faults)}", returncode=NEEDS_A_LOOK)
        if set(ended) - {"confirmed", "accepted"}:
            raise CommandError("Not all was delivered: look under Deliveries.", returncode=NEEDS_A_LOOK)

    def _put(self, project: Project, patches: list[PatchInput], source: str) -> list[PutResult]:
        done: list[PutResult] = []
        try:
            with ProgressBar("Putting", len(patches), sys.stderr) as progress:
                for start in range(0, len(patches), MAX_BATCH_SIZE):
                    done += put_patches(project, patches[start : start + MAX_BATCH_SIZE], source=source)
                    progress.update(len(done))
        except (DatabaseError, KeyboardInterrupt) as error:
            said = "It was stopped" if isinstance(error, KeyboardInterrupt) else f"The database failed ({error})"
            raise CommandError(
                f"{said} after {len(done):,} of {len(patches):,} patches. These are on their way. Run the same command"
                " again: with --file, what was put is not put twice.",
                returncode=NEEDS_A_LOOK if done else NOTHING_PUT,
            ) from None
        return done

    def _wait(self, project: Project, done: list[PutResult], seconds: float) -> Counter[str]:
        """How the patches ended, in words; what did not end in time is `on the way`."""
        left, ended = Counter(one.patch.pk for one in done), Counter[str]()
        until = time.monotonic() + seconds
        try:
            with ProgressBar("Confirming", len(done), sys.stderr) as progress:
                while left:
                    left, newly = check_patches(project, left)
                    ended += newly
                    progress.update(ended.total())
                    if time.monotonic() >= until:
                        break
                    time.sleep(PAUSE if left else 0)
        except KeyboardInterrupt:
            # Only the waiting is given up: the patches go their way.
            pass
        except DatabaseError as error:
            said = (
                f"The database failed ({error}) while they were awaited. All are on their way: look under Deliveries."
            )
            raise CommandError(said, returncode=NEEDS_A_LOOK) from None
        return ended + Counter({"on the way": left.total()})

    def _tell(self, told: dict[str, Any], words: str, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(told, ensure_ascii=False) if as_json else words)


def _given(options: dict[str, Any]) -> ParsedPatches:
    """What the shell gave. Raises CommandError."""
    if options["file"] is None:
        if not options["trace_id"] or not options["pairs"]:
            raise CommandError("Give a trace id and key=value pairs, or --file with one patch a line. Nothing was put.")
        try:
            prefix = options["idempotency_prefix"]
            return ParsedPatches(
                [patch_lines.patch_from_arguments(options["trace_id"], options["pairs"], options["tag"], prefix)]
            )
        except InvalidPatchError as error:
            raise CommandError(f"{error} Nothing was put.") from None
    if options["trace_id"] or options["tag"]:
        raise CommandError("With --file each line has its own trace and tags: give nothing beside it. Nothing was put.")
    prefix = options["idempotency_prefix"] or _name(options["file"])
    try:
        if options["file"] == "-":
            read = patch_lines.patches_from_lines(sys.stdin.buffer, prefix)
        else:
            with Path(options["file"]).open("rb") as file:
                read = patch_lines.patches_from_lines(file, prefix)
    except OSError as error:
        raise CommandError(f"The file cannot be read: {error.strerror}. Nothing was put.") from None
    if not read.patches and not read.faults:
        raise CommandError("The file holds no patch. Nothing was put.")
    return read


def _name(file: str) -> str:
    return "standard input" if file == "-" else Path(file).name


def _source(options: dict[str, Any]) -> str:
    """Who put it, as pages and the audit log show it."""
    name = "" if options["file"] is None else _name(options["file"])
    return f"command: {name}"[:120] if name and name.isprintable() else "command"


def _listed(lines: list[str]) -> str:
    more = [f"… and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def _preview(patches: list[PatchInput], known: int) -> str:
    lines = [
        f"{patch.trace_id} {canonical_json.dumps(patch.metadata)}"
        + (f" and the tags {canonical_json.dumps(patch.tags)}" if patch.tags else "")
        for patch in patches
    ]
    before = f" {known:,} had been put before." if known else ""
    return f"{_listed(lines)}\n{len(patches) - known:,} would be put.{before} Nothing was put."


def _summary(new: int, total: int, ended: Counter[str]) -> str:
    said = f"{new:,} put on the way to Laminar."
    if new < total:
        said += f" {total - new:,} had been put before."
    return f"{said} {', '.join(f'{count:,} {word}' for word, count in ended.items())}." if ended else said
