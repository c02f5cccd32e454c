"""`manage.py pull_traces`: bring new traces from Laminar into the mirror now."""

import sys
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reviewapp.accounts.models import Project
from reviewapp.keys.laminar_keys import NoReadableKey, make_read_client
from reviewapp.laminar import Laminar, LaminarError, RateLimited
from reviewapp.lib import clock
from reviewapp.lib.progress_bar import ProgressBar
from reviewapp.management.project_lookup import get_project
from reviewapp.traces.sync import watermark
from reviewapp.traces.sync.list_new import Listing, pull_listing

# Exit codes: stopped halfway, or some projects failed; nothing was pulled.
NEEDS_A_LOOK, NOTHING_PULLED = 1, 2
# A 429 is waited for so often and so long, in seconds.
WAITS, LONGEST, UNNAMED = 5, 300.0, 10.0


class Command(BaseCommand):
    help = (
        "Pull traces and their metadata from Laminar into the mirror, as the worker does by itself: those since its"
        " last listing, or of a time range. What is stored stays, so that a command that was stopped is run again. Ends"
        " with 0 when all was pulled; with 1 when it was stopped halfway or a project failed; with 2 when nothing was"
        " pulled."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="this one only; without it every project")
        parser.add_argument("--since", type=_moment, help="traces that began then or later, as 2026-11-22T10:30")
        parser.add_argument("--until", type=_moment, help="and before this moment")
        parser.add_argument("--limit", type=_positive, help="so many traces at most for each project, the newest first")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            projects = [get_project(options["project"])] if options["project"] else list(Project.objects.all())
        except CommandError as error:
            raise CommandError(str(error), returncode=NOTHING_PULLED) from None
        if options["since"] and options["until"] and options["until"] <= options["since"]:
            raise CommandError("The time range ends before it begins. Nothing was pulled.", returncode=NOTHING_PULLED)
        faults, listed = [], 0
        for project in projects:
            listing = Listing(options["since"] or _left_since(project), options["until"], options["limit"])
            try:
                self._pull(project, listing)
            except (LaminarError, NoReadableKey, KeyboardInterrupt) as error:
                faults.append(f"{project.name}: {_told(error, listing)}")
                if isinstance(error, KeyboardInterrupt):
                    break
            finally:
                listed += listing.listed
        if faults:
            raise CommandError("\n".join(faults), returncode=NEEDS_A_LOOK if listed else NOTHING_PULLED)

    def _pull(self, project: Project, listing: Listing) -> None:
        began, until = clock.now(), listing.until
        client = make_read_client(project)
        try:
            with ProgressBar(f"Pulling {project.name}", listing.max_traces or 0, sys.stderr) as progress:
                _patiently(client, project, listing, progress)
        finally:
            if listing.is_complete and until is None and listing.since <= watermark.next_listing_start(project):
                watermark.advance_watermark(project, listing.since, listing.since, listing.newest or began)
            elif listing.stored_from is not None:
                watermark.extend_coverage(project, listing.stored_from, until or began)
        said = f"{project.name}: {listing.listed:,} traces listed, {listing.stored:,} of them new or changed."
        if not listing.is_complete and listing.until is not None:
            said += f" Older ones: --until {listing.until.isoformat()}."
        self.stdout.write(said)


def _left_since(project: Project) -> datetime:
    """From when on the worker has not listed all yet."""
    gap = watermark.get_gap(project)
    return gap[0] if gap else watermark.next_listing_start(project)


def _patiently(client: Laminar, project: Project, listing: Listing, progress: ProgressBar) -> None:
    """Pull the whole listing, waiting where Laminar asks to slow down. Raises LaminarError."""
    for waits_left in reversed(range(WAITS)):
        try:
            pull_listing(client, project, listing, progress.update)
            return
        except RateLimited as error:
            if not waits_left:
                raise
            time.sleep(min(error.retry_after or UNNAMED, LONGEST))


def _told(error: BaseException, listing: Listing) -> str:
    said = "It was stopped." if isinstance(error, KeyboardInterrupt) else str(error)
    if listing.listed and listing.until is not None:
        return f"{said} {listing.listed:,} traces are here; go on with --until {listing.until.isoformat()}."
    return f"{said} Nothing was pulled."


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number
