"""List a project's traces by start time, page by page, the newest first: there is no other way to find new ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reviewapp.accounts.models import Project
from reviewapp.laminar import Laminar, Refused, TooLarge, TraceRow, UnexpectedAnswer
from reviewapp.lib import clock
from reviewapp.traces.sync import pull

# Answers that may mean: ask for less at once.
TOO_MUCH = (TooLarge, Refused, UnexpectedAnswer)


@dataclass(slots=True)
class Listing:
    """A listing under way: traces that began in [since, until), `most` of them, `limit` at once.

    `stored` of those `listed` were new or changed. `until` moves down with each page: a listing that was stopped goes
    on from there. All that began from `kept` on is stored; None before the first page is.
    """

    since: datetime
    until: datetime | None = None
    most: int | None = None
    limit: int = field(default_factory=lambda: pull.PAGE)
    listed: int = 0
    stored: int = 0
    newest: datetime | None = None
    kept: datetime | None = None
    is_done: bool = False
    is_whole: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        """What to ask Laminar for next."""
        left = self.limit if self.most is None else min(self.limit, self.most - self.listed)
        return {"since": self.since, "until": self.until, "limit": left}

    def take(self, rows: Sequence[TraceRow]) -> None:
        """Go on behind a page."""
        asked = self.asked["limit"]
        self.listed += len(rows)
        self.newest = self.newest or (rows[0].start_time if rows else None)
        if len(rows) < asked:
            self.is_done = self.is_whole = True
            return
        # The next page begins with this page's last moment, which may hold more traces than were shown.
        before, self.until = self.until, rows[-1].start_time + timedelta(microseconds=1)
        if self.until == before:
            self.limit *= 2
        self.is_done = self.most is not None and self.listed >= self.most

    @property
    def reaches(self) -> datetime | None:
        """From when on all was listed; None before the first page."""
        return self.since if self.is_whole else self.until if self.listed else None

    def shrink(self) -> bool:
        """Ask for half as many at once; False when it is one already."""
        self.limit, before = max(self.limit // 2, 1), self.limit
        return self.limit < before


def pull_listing(client: Laminar, project: Project, listing: Listing, reach: Callable[[int], None]) -> None:
    """Store what a listing has left, and tell `reach` how far it is. Raises LaminarError; what is stored stays."""
    while not listing.is_done:
        asked_at = clock.now()
        try:
            rows = client.traces_matching([], **listing.asked)
        except TOO_MUCH:
            if not listing.shrink():
                raise
            continue
        listing.stored += pull.store_listed(project, rows, asked_at)
        listing.take(rows)
        listing.kept = listing.reaches
        reach(listing.listed)
