"""List a project's traces by start time, newest first, page by page: Laminar has no other way to find new traces."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from reviewapp.accounts.models import Project
from reviewapp.laminar import (
    Laminar,
    LaminarError,
    ParsedRows,
    RequestRefused,
    RequestTooLarge,
    TraceRow,
    UnexpectedResponse,
    UnreadableRow,
)
from reviewapp.lib import clock
from reviewapp.traces.sync import pull, storing, unreadable

# Errors that may mean that the page size is too large.
OVERSIZE_ERRORS = (RequestTooLarge, RequestRefused, UnexpectedResponse)


@dataclass(slots=True)
class Listing:
    """A listing in progress: traces that started in [since, until), at most `max_traces`, `page_size` per query.

    `stored` of the `listed` traces were new or changed. `until` moves down with each page, so a listing can be resumed
    from it. All traces that started from `stored_from` on are stored or marked as unreadable; None before the first
    page is. Queries leave out the traces in `excluded`, whose rows alone are too long for a response, and those in
    `boundary`, which are listed already: with small pages, listing them again could keep the listing at one place.
    """

    since: datetime
    until: datetime | None = None
    max_traces: int | None = None
    page_size: int = field(default_factory=lambda: pull.PAGE_SIZE)
    listed: int = 0
    stored: int = 0
    unreadable: int = 0
    excluded: list[UUID] = field(default_factory=list)
    boundary: list[UUID] = field(default_factory=list)
    newest: datetime | None = None
    stored_from: datetime | None = None
    is_done: bool = False
    is_complete: bool = False

    @property
    def next_query(self) -> dict[str, Any]:
        """Keyword arguments of the next query to Laminar."""
        limit = self.page_size if self.max_traces is None else min(self.page_size, self.max_traces - self.listed)
        return {**self.next_range, "limit": limit}

    @property
    def next_range(self) -> dict[str, Any]:
        """Keyword arguments of the next query to Laminar, without its limit."""
        return {"since": self.since, "until": self.until, "excluded": [*self.excluded, *self.boundary]}

    def advance(self, page: ParsedRows[TraceRow]) -> None:
        """Move on past a page that was fetched with `next_query`."""
        limit = self.next_query["limit"]
        rows: list[TraceRow | UnreadableRow] = [*page.readable, *page.unreadable]
        start_times = [row.start_time for row in rows if row.start_time is not None]
        self.listed += page.total
        self.unreadable += len(page.unreadable)
        self.newest = self.newest or max(start_times, default=None)
        if page.total < limit:
            self.is_done = self.is_complete = True
            return
        # The next page includes this page's last start time again, which more traces may share.
        before, last = self.until, min(start_times, default=None)
        if last is not None:
            self.until = last + timedelta(microseconds=1)
        if self.page_size < pull.PAGE_SIZE:
            shared = [row.id for row in rows if row.id is not None and row.start_time in (last, None)]
            self.boundary = self.boundary + shared if self.until == before else shared
        elif self.until == before:
            self.page_size *= 2
        self.is_done = self.max_traces is not None and self.listed >= self.max_traces

    def skip(self, row: UnreadableRow | None) -> bool:
        """Leave the newest remaining trace out, which alone is too long. Returns False if its id is not known."""
        if row is None or row.id is None or row.id in self.excluded:
            return False
        self.excluded = [*self.excluded, row.id]
        self.unreadable += 1
        self.page_size = pull.PAGE_SIZE
        return True

    @property
    def listed_from(self) -> datetime | None:
        """Start time from which on all traces are listed; None before the first page."""
        return self.since if self.is_complete else self.until if self.listed else None

    def halve_page_size(self) -> bool:
        """Halve the page size. Returns False if it is 1 already."""
        self.page_size, before = max(self.page_size // 2, 1), self.page_size
        return self.page_size < before


def pull_listing(client: Laminar, project: Project, listing: Listing, on_progress: Callable[[int], None]) -> None:
    """Fetch and store the rest of a listing; calls `on_progress` with the number of traces listed so far.

    Raises LaminarError; stored pages stay stored.
    """
    listing.excluded = unreadable.find_too_long(project)
    while not listing.is_done:
        asked_at = clock.now()
        try:
            page = client.find_traces([], **listing.next_query)
        except OVERSIZE_ERRORS as error:
            if not listing.halve_page_size():
                _skip_newest(client, project, listing, error)
            continue
        listing.stored += storing.store_listed(project, page, asked_at)
        listing.advance(page)
        listing.stored_from = listing.listed_from
        on_progress(listing.listed)


def _skip_newest(client: Laminar, project: Project, listing: Listing, error: LaminarError) -> None:
    """Mark the newest remaining trace, whose row alone cannot be fetched, and leave it out. Raises LaminarError."""
    if not isinstance(error, UnexpectedResponse):
        raise error
    row = client.identify_newest(error, **listing.next_range)
    if not listing.skip(row) or row is None:
        raise error
    storing.store_listed(project, ParsedRows([], [row]))
