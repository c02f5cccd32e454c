"""List a project's traces by start time, page by page, the newest first: there is no other way to find new ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reviewapp.accounts.models import Project
from reviewapp.laminar import Laminar, RequestRefused, RequestTooLarge, TraceRow, UnexpectedResponse
from reviewapp.lib import clock
from reviewapp.traces.sync import pull

# Answers that may mean: ask for less at once.
OVERSIZE_ERRORS = (RequestTooLarge, RequestRefused, UnexpectedResponse)


@dataclass(slots=True)
class Listing:
    """A listing under way: traces that began in [since, until), `most` of them, `limit` at once.

    `stored` of those `listed` were new or changed. `until` moves down with each page: a listing that was stopped goes
    on from there. All that began from `kept` on is stored; None before the first page is.
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
        """What to ask Laminar for next."""
        left = self.page_size if self.max_traces is None else min(self.page_size, self.max_traces - self.listed)
        return {"since": self.since, "until": self.until, "limit": left}

    def advance(self, rows: Sequence[TraceRow]) -> None:
        """Go on behind a page."""
        asked = self.next_query["limit"]
        self.listed += len(rows)
        self.newest = self.newest or (rows[0].start_time if rows else None)
        if len(rows) < asked:
            self.is_done = self.is_complete = True
            return
        # The next page begins with this page's last moment, which may hold more traces than were shown.
        before, self.until = self.until, rows[-1].start_time + timedelta(microseconds=1)
        if self.until == before:
            self.page_size *= 2
        self.is_done = self.max_traces is not None and self.listed >= self.max_traces

    @property
    def listed_from(self) -> datetime | None:
        """From when on all was listed; None before the first page."""
        return self.since if self.is_complete else self.until if self.listed else None

    def halve_page_size(self) -> bool:
        """Ask for half as many at once; False when it is one already."""
        self.page_size, before = max(self.page_size // 2, 1), self.page_size
        return self.page_size < before


def pull_listing(client: Laminar, project: Project, listing: Listing, reach: Callable[[int], None]) -> None:
    """Store what a listing has left, and tell `reach` how far it is. Raises LaminarError; what is stored stays."""
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
        reach(listing.listed)
