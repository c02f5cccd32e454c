"""`manage.py pull_traces`: pull new traces from Laminar into the mirror now."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from reviewapp.accounts.models import Project
from reviewapp.keys.laminar_keys import NoReadableKey, make_read_client
from reviewapp.laminar import Laminar, LaminarError, RateLimited
from reviewapp.lib import clock
from reviewapp.lib.invisible_chars import reveal
from reviewapp.lib.numbers import parse_int
from reviewapp.lib.progress_bar import ProgressBar
from reviewapp.lib.shortening import shorten
from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project
from reviewapp.traces.sync import watermark
from reviewapp.traces.sync.list_new import Listing, pull_listing

# Exit codes other than 0: interrupted, or a project failed; nothing was pulled.
INCOMPLETE, NOTHING_PULLED = 1, 2
# Attempts when Laminar answers 429, and seconds to wait between two: at most, and without a Retry-After.
MAX_ATTEMPTS, MAX_RETRY_DELAY, DEFAULT_RETRY_DELAY = 5, 300.0, 10.0


class Command(DeskCommand):
    help = (
        "Pull traces and their metadata from Laminar into the mirror, as the worker does: those since its last listing,"
        " or those in a time range. Pulled traces are kept, so an interrupted command can be run again. Exits with 0"
        " when everything was pulled; with 1 when it was interrupted or a project failed; with 2 if nothing was pulled."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="only this project [every project]")
        parser.add_argument(
            "--since", type=_parse_moment, help="traces that started at this time or later, e.g. 2026-11-22T10:30"
        )
        parser.add_argument("--until", type=_parse_moment, help="traces that started before this time")
        parser.add_argument("--limit", type=_parse_positive, help="maximum number of traces per project, newest first")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            projects = [get_project(options["project"])] if options["project"] else list(Project.objects.all())
        except CommandError as error:
            raise CommandError(str(error), returncode=NOTHING_PULLED) from None
        if options["since"] and options["until"] and options["until"] <= options["since"]:
            raise CommandError("The time range ends before it starts. Nothing was pulled.", returncode=NOTHING_PULLED)
        errors, total = [], 0
        for project in projects:
            listing = Listing(options["since"] or _default_since(project), options["until"], options["limit"])
            try:
                self._pull(project, listing)
            except (LaminarError, NoReadableKey, KeyboardInterrupt) as error:
                errors.append(f"{project.name}: {_error_text(error, listing)}")
                if isinstance(error, KeyboardInterrupt):
                    break
            finally:
                total += listing.listed
        if errors:
            raise CommandError("\n".join(errors), returncode=INCOMPLETE if total else NOTHING_PULLED)

    def _pull(self, project: Project, listing: Listing) -> None:
        started_at, until = clock.now(), listing.until
        client = make_read_client(project)
        try:
            with ProgressBar(f"Pulling {reveal(project.name)}", listing.max_traces or 0, sys.stderr) as progress:
                _pull_with_retries(client, project, listing, progress)
        finally:
            if listing.is_complete and until is None and listing.since <= watermark.next_listing_start(project):
                watermark.advance_watermark(project, listing.since, listing.since, listing.newest or started_at)
            elif listing.stored_from is not None:
                watermark.extend_coverage(project, listing.stored_from, until or started_at)
        text = f"{reveal(project.name)}: {listing.listed:,} traces listed, {listing.stored:,} of them new or changed."
        if listing.unreadable:
            text += f" {listing.unreadable:,} could not be read; see the project's page of unreadable traces."
        if not listing.is_complete and listing.until is not None:
            text += f" For older traces, continue with --until {listing.until.isoformat()}."
        self.stdout.write(text)


def _default_since(project: Project) -> datetime:
    """Return the start time from which the worker has not listed all traces yet."""
    gap = watermark.get_gap(project)
    return gap[0] if gap else watermark.next_listing_start(project)


def _pull_with_retries(client: Laminar, project: Project, listing: Listing, progress: ProgressBar) -> None:
    """Pull the whole listing; wait and retry when Laminar asks to slow down. Raises LaminarError."""
    for attempts_left in reversed(range(MAX_ATTEMPTS)):
        try:
            pull_listing(client, project, listing, progress.update)
            return
        except RateLimited as error:
            if not attempts_left:
                raise
            time.sleep(min(error.retry_after or DEFAULT_RETRY_DELAY, MAX_RETRY_DELAY))


def _error_text(error: BaseException, listing: Listing) -> str:
    reason = "Stopped." if isinstance(error, KeyboardInterrupt) else str(error)
    if listing.listed and listing.until is not None:
        return f"{reason} Pulled {listing.listed:,} traces so far. Continue with --until {listing.until.isoformat()}."
    return f"{reason} Nothing was pulled."


def _parse_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(
            f"“{reveal(shorten(text, 80))}” is not a time. Write it as 2026-11-22 or 2026-11-22T10:30."
            " Nothing was pulled."
        ) from None


def _parse_positive(text: str) -> int:
    number = parse_int(text, max_value=10**9)
    if not number:
        raise ArgumentTypeError(f"“{reveal(shorten(text, 80))}” is not a whole number above 0. Nothing was pulled.")
    return number
