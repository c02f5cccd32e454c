"""A view's traces a page at a time, by keyset and never by offset; and how many there are, up to a bound."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.traces.filters.filter_view import SORTS, FilterView, aware
from reviewapp.traces.metadata.index import MAX_COUNT
from reviewapp.traces.metadata.pairs import FilterError, Pair
from reviewapp.traces.models import Trace

PAGE_SIZE = 50
# Of a narrowed view that is not sorted by time, only so many of the newest are sorted: no index has them in order.
MAX_SORTED = 5_000
UNLISTED = ("unconfirmed", "noted_at", "pulled_at", "spans_pulled_at", "pull_due_at", "pull_tries", "pull_error")
CUT = "This page's address was cut short. Start again from the view's first page."
_VALUES = {
    # The name of a column comes from the list of those that one may sort by.
    field: f"SELECT {field}, id FROM reviewapp_trace WHERE {field} IS NOT NULL AND id IN []"  # noqa: S608
    for field in SORTS.values()
}

# What a trace is sorted by, and its primary key.
Place = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a view in its order; `newer` and `older` are the cursors of the pages before and after it, or empty.

    `is_cut` when only the newest of the view were sorted.
    """

    traces: list[Trace]
    newer: str
    older: str
    count: int
    is_cut: bool = False

    @property
    def is_counted(self) -> bool:
        return self.count <= MAX_COUNT


def get_page(view: FilterView, project: Project, before: str = "", after: str = "") -> Page:
    """A page of 50 by keyset: what follows one cursor or comes before the other, never an offset.

    Where nothing is left there, the view's first page. Raises NotAPair.
    """
    is_upward = bool(after) and not before
    places, is_cut = _beyond(view, project, before or after, is_upward=is_upward)
    if not places and (before or after):
        return get_page(view, project)
    is_more, places = len(places) > PAGE_SIZE, places[:PAGE_SIZE]
    if is_upward:
        places.reverse()
    has_newer, has_older = (is_more, True) if is_upward else (bool(before), is_more)
    traces = Trace.objects.defer(*UNLISTED).in_bulk([place for _, place in places])
    # A trace that has not ended belongs to the view and has no place in this order.
    is_whole = not has_newer and not has_older and view.order[0] != SORTS["duration"]
    return Page(
        [traces[place] for _, place in places if place in traces],
        newer=cursor_of(places[0]) if has_newer else "",
        older=cursor_of(places[-1]) if has_older else "",
        count=len(places) if is_whole else count_traces(view, project),
        is_cut=is_cut,
    )


def count_traces(view: FilterView, project: Project) -> int:
    """How many traces a view has; one more than COUNTED stands for any larger number."""
    return view.matching(project)[: MAX_COUNT + 1].count()


def alone(view: FilterView, project: Project) -> list[tuple[Pair, int, str]]:
    """What each condition finds by itself at any time: how many, and the query string that shows them."""
    single = [(pair, replace(view, pairs=[pair], since=None, until=None)) for pair in view.pairs]
    return [(pair, count_traces(one, project), one.query) for pair, one in single]


def newest(view: FilterView, project: Project, limit: int) -> list[int]:
    """The primary keys of a view's newest traces, newest first."""
    return [place for _, place in view.matching(project).order_by("-start_time", "-place")[:limit]]


def _beyond(view: FilterView, project: Project, cursor: str, *, is_upward: bool) -> tuple[list[Place], bool]:
    """The places nearest to a cursor, one more than a page takes; the first ones without a cursor.

    And whether only the newest of the view were looked at.
    """
    field, is_descending = view.order
    falls = is_descending != is_upward
    place = read_cursor(cursor, field) if cursor else None
    if field != SORTS["start"] and view.is_narrowed:
        found = newest(view, project, MAX_SORTED + 1)
        values: list[Place] = [(value, pk) for value, pk in sql.fetch_rows_in(_VALUES[field], found[:MAX_SORTED])]
        ahead = [one for one in values if place is None or (one < place if falls else one > place)]
        return sorted(ahead, reverse=falls)[: PAGE_SIZE + 1], len(found) > MAX_SORTED
    sign, order = ("lt", (f"-{field}", "-place")) if falls else ("gt", (field, "place"))
    beyond = Q()
    if place is not None:
        # The bound alone is what an index goes by; the rest tells apart what has the same value.
        beyond = Q(**{f"{field}__{sign}e": place[0]})
        beyond &= Q(**{f"{field}__{sign}": place[0]}) | Q(**{f"place__{sign}": place[1]})
    if field == SORTS["start"]:
        return list(view.matching(project, beyond).order_by(*order)[: PAGE_SIZE + 1]), False
    here = Trace.objects.filter(project=project, **{f"{field}__isnull": False}).pulled().annotate(place=F("pk"))
    return list(here.filter(beyond).order_by(*order).values_list(field, "place")[: PAGE_SIZE + 1]), False


def cursor_of(place: Place) -> str:
    """A place as an address spells it."""
    value, pk = place
    return f"{value.isoformat() if isinstance(value, datetime) else value}_{pk}"


def read_cursor(cursor: str, field: str = SORTS["start"]) -> Place:
    """The place that a cursor names. Raises NotAPair."""
    text, _, number = cursor.rpartition("_")
    if not number.isdecimal() or not number.isascii() or len(number) > 18:
        raise FilterError(CUT)
    return (aware(text, CUT) if field == SORTS["start"] else _number(text)), int(number)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise FilterError(CUT) from None
    if not math.isfinite(value):
        raise FilterError(CUT)
    return value
