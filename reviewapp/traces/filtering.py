"""A filter view: exact pairs and a time range, read from a URL that can be sent to a colleague."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict

from reviewapp.accounts.models import Project
from reviewapp.traces import index, metadata
from reviewapp.traces.index import COUNTED
from reviewapp.traces.metadata import NotAPair, Pair
from reviewapp.traces.models import Trace

PAGE = 50
UNLISTED = ("unconfirmed", "pulled_at", "spans_pulled_at", "pull_due_at", "pull_tries", "pull_error")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class FilterView:
    """Which traces: all pairs hold, and the start lies in [since, until)."""

    pairs: Sequence[Pair] = ()
    since: datetime | None = None
    until: datetime | None = None

    def places(self, project: Project, beyond: Q | None = None) -> QuerySet[Any]:
        """The view's traces as `start_time` and `place`, their primary key; those that lie `beyond` a cursor."""
        within = beyond or Q()
        if self.since is not None:
            within &= Q(start_time__gte=self.since)
        if self.until is not None:
            within &= Q(start_time__lt=self.until)
        return index.matching(project, self.pairs, within).values_list("start_time", "place")

    @property
    def query(self) -> str:
        """The view as the query string of its URL, `m=key%3Dvalue&…`; empty for all traces."""
        fields = [("m", str(pair)) for pair in self.pairs]
        fields += [(name, moment.isoformat()) for name, moment in (("from", self.since), ("to", self.until)) if moment]
        return urlencode(fields)

    @property
    def chips(self) -> list[tuple[Pair, str]]:
        """Each pair with the query string of the view without it."""
        return [
            (pair, FilterView([other for other in self.pairs if other != pair], self.since, self.until).query)
            for pair in self.pairs
        ]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a view, newest first; `newer` and `older` are the cursors of its neighbours, empty without one."""

    traces: list[Trace]
    newer: str
    older: str
    count: int

    @property
    def is_counted(self) -> bool:
        return self.count <= COUNTED


def read_view(query: QueryDict) -> FilterView:
    """The view that a URL's query describes. Raises NotAPair with a sentence for what cannot be read."""
    texts = [text for text in query.getlist("m") if text.strip()]
    key, value = query.get("key", "").strip(), query.get("value", "")
    if "=" in key:
        raise NotAPair("A key with an equals sign cannot be asked for: the first one divides key and value.")
    if key:
        texts.append(f"{key}={value}")
    elif value.strip():
        raise NotAPair("Give the key that this value belongs to.")
    since, until = _moment(query, "from"), _moment(query, "to")
    if until is not None and _DAY.fullmatch(query.get("to", "").strip()):
        # A day is meant with all its hours.
        until = until.replace(hour=23, minute=59, second=59, microsecond=999_999)
    if since is not None and until is not None and since >= until:
        raise NotAPair("The time range ends before it begins: exchange From and To.")
    return FilterView(metadata.parse_pairs(texts), since, until)


def page_of(view: FilterView, project: Project, before: str = "", after: str = "") -> Page:
    """A page of 50 by keyset: what is older than one cursor or newer than the other, never an offset.

    Where nothing is left there, the view's newest. Raises NotAPair.
    """
    is_upward = bool(after) and not before
    places = _beyond(view, project, before or after, is_upward=is_upward)
    if not places and (before or after):
        return page_of(view, project)
    is_more, places = len(places) > PAGE, places[:PAGE]
    if is_upward:
        places.reverse()
    has_newer, has_older = (is_more, True) if is_upward else (bool(before), is_more)
    traces = Trace.objects.defer(*UNLISTED).in_bulk([place for _, place in places])
    return Page(
        [traces[place] for _, place in places if place in traces],
        newer=_cursor(places[0]) if has_newer else "",
        older=_cursor(places[-1]) if has_older else "",
        count=view.places(project)[: COUNTED + 1].count() if has_newer or has_older else len(places),
    )


def _beyond(view: FilterView, project: Project, cursor: str, *, is_upward: bool) -> list[tuple[datetime, int]]:
    """The places nearest to a cursor, one more than a page takes; the newest without a cursor."""
    sign, order = ("gt", ("start_time", "place")) if is_upward else ("lt", ("-start_time", "-place"))
    beyond = Q()
    if cursor:
        start_time, place = _read_cursor(cursor)
        # The bound alone is what an index goes by; the rest tells apart what began in the same moment.
        beyond = Q(**{f"start_time__{sign}e": start_time})
        beyond &= Q(**{f"start_time__{sign}": start_time}) | Q(**{f"place__{sign}": place})
    return list(view.places(project, beyond).order_by(*order)[: PAGE + 1])


def _moment(query: QueryDict, name: str) -> datetime | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    return _aware(text, f"“{text[:40]}” is not a time: write it as 2026-11-22 or 2026-11-22T10:30.")


def _cursor(place: tuple[datetime, int]) -> str:
    return f"{place[0].isoformat()}_{place[1]}"


def _read_cursor(cursor: str) -> tuple[datetime, int]:
    moment, _, number = cursor.rpartition("_")
    if not number.isdecimal() or not number.isascii() or len(number) > 18:
        raise NotAPair("This page's address was cut short. Start again from the view's first page.")
    return _aware(moment, "This page's address was cut short. Start again from the view's first page."), int(number)


def _aware(text: str, otherwise: str) -> datetime:
    # A plus in an address arrives as a space, and people put one between date and time.
    for spelling in (text, text.replace(" ", "+")):
        try:
            moment = datetime.fromisoformat(spelling)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise NotAPair(otherwise)
