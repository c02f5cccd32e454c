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
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class FilterView:
    """Which traces: all pairs hold, and the start lies in [since, until)."""

    pairs: Sequence[Pair] = ()
    since: datetime | None = None
    until: datetime | None = None

    def places(self, project: Project) -> QuerySet[Any]:
        """The view's traces as `start_time` and `place`, their primary key."""
        found = index.matching(project, self.pairs)
        if self.since is not None:
            found = found.filter(start_time__gte=self.since)
        if self.until is not None:
            found = found.filter(start_time__lt=self.until)
        return found.values_list("start_time", "place")

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
    """One page of a view, newest first; `older` is the cursor of the next."""

    traces: list[Trace]
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


def page_of(view: FilterView, project: Project, cursor: str) -> Page:
    """A page of 50 by keyset: the time and id of the last trace seen, never an offset. Raises NotAPair."""
    found = view.places(project)
    count = found.order_by()[: COUNTED + 1].count()
    if cursor:
        start_time, place = _read_cursor(cursor)
        found = found.filter(Q(start_time__lt=start_time) | Q(start_time=start_time, place__lt=place))
    places = list(found.order_by("-start_time", "-place")[: PAGE + 1])
    traces = Trace.objects.defer("unconfirmed").in_bulk([place for _, place in places[:PAGE]])
    older = f"{places[PAGE - 1][0].isoformat()}_{places[PAGE - 1][1]}" if len(places) > PAGE else ""
    return Page([traces[place] for _, place in places[:PAGE] if place in traces], older, count)


def _moment(query: QueryDict, name: str) -> datetime | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    return _aware(text, f"“{text[:40]}” is not a time: write it as 2026-11-22 or 2026-11-22T10:30.")


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
