"""List a project's traces by start time, newest first, page by page: Laminar has no other way to find new traces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reviewapp.accounts.models import Project
from reviewapp.laminar import Laminar, RequestRefused, RequestTooLarge, TraceRow, UnexpectedResponse
from reviewapp.lib import clock
from reviewapp.traces.sync import pull

# Errors that may mean that the page size is too large.
OVERSIZE_ERRORS = (RequestTooLarge, RequestRefused, UnexpectedResponse)


@dataclass(slots=True)
class Listing:
    """A listing in progress: traces that started in [since, until), at most `max_traces`, `page_size` per query.

    `stored` of the `listed` traces were new or changed. `until` moves down with each page, so a listing can be resumed
    from it. All traces that started from `stored_from` on are stored; None before the first page is.
    """

    since: datetime
    until: datetime | None = None
    max_traces: int | None = None
    page_size: int = field(default_factory=lambda: pull.PAGE_SIZE)
    listed: int = 0
    stored: int = 0
    newest: datetime | None = None
    stored_from: datetime | None = None
    is_done: bool = False
    is_complete: bool = False

    @property
    def next_query(self) -> dict[str, Any]:
        """Keyword arguments of the next query to Laminar."""
        limit = self.page_size if self.max_traces is None else min(self.page_size, self.max_traces - self.listed)
        return {"since": self.since, "until": self.until, "limit": limit}

    def advance(self, rows: Sequence[TraceRow]) -> None:
        """Move on past a page that was fetched with `next_query`."""
        limit = self.next_query["limit"]
        self.listed += len(rows)
        self.newest = self.newest or (rows[0].start_time if rows else None)
        if len(rows) < limit:
            self.is_done = self.is_complete = True
            return
        # The next page includes this page's last start time again, which more traces may share.
        before, self.until = self.until, rows[-1].start_time + timedelta(microseconds=1)
        if self.until == before:
            self.page_size *= 2
        self.is_done = self.max_traces is not None and self.listed >= self.max_traces

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
    while not listing.is_done:
        asked_at = clock.now()
        try:
            rows = client.find_traces([], **listing.next_query)
        except OVERSIZE_ERRORS:
            if not listing.halve_page_size():
                raise
            continue
        listing.stored += pull.store_listed(project, rows, asked_at)
        listing.advance(rows)
        listing.stored_from = listing.listed_from
        on_progress(listing.listed)
