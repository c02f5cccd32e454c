"""Keyset pagination of a view's traces, without offsets, and their count up to a bound."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from reviewapp.accounts.models import Project
from reviewapp.lib.batches import batched
from reviewapp.traces.filters.filter_view import SORTS, FilterView, parse_time
from reviewapp.traces.metadata.index import MAX_COUNT
from reviewapp.traces.metadata.pairs import FilterError, Pair
from reviewapp.traces.models import Trace

PAGE_SIZE = 50
# A filtered view in any order but by start time sorts at most this many of its newest traces: no index has that order.
MAX_SORTED = 5_000
# Fields that lists and exports do not read.
UNLISTED = ("unconfirmed", "noted_at", "pulled_at", "spans_pulled_at", "pull_due_at", "pull_tries", "pull_error")
INVALID_CURSOR = "This page's URL is incomplete. Go back to the first page of the view."
# The value that a trace is sorted by, and its primary key.
Cursor = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a view, in its order; `newer` and `older` are the cursors of the previous and next page, or empty.

    `is_cut` if only the newest traces of the view were sorted.
    """

    traces: list[Trace]
    newer: str
    older: str
    count: int
    is_cut: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether `count` is exact; else there are more than MAX_COUNT traces."""
        return self.count <= MAX_COUNT


def get_page(view: FilterView, project: Project, before: str = "", after: str = "") -> Page:
    """The page that follows the cursor `before`, or precedes the cursor `after`. Raises FilterError.

    The view's first page without a cursor, or if no traces are left on that side of it.
    """
    is_backward = bool(after) and not before
    cursors, is_cut = _get_cursors(view, project, before or after, is_backward=is_backward)
    if not cursors and (before or after):
        return get_page(view, project)
    has_more, cursors = len(cursors) > PAGE_SIZE, cursors[:PAGE_SIZE]
    if is_backward:
        cursors.reverse()
    has_newer, has_older = (has_more, True) if is_backward else (bool(before), has_more)
    traces = Trace.objects.defer(*UNLISTED).in_bulk([pk for _, pk in cursors])
    # Sorted by duration, a view leaves out traces that have not ended, but its count includes them.
    is_whole_view = not has_newer and not has_older and view.order[0] != SORTS["duration"]
    return Page(
        [traces[pk] for _, pk in cursors if pk in traces],
        newer=format_cursor(cursors[0]) if has_newer else "",
        older=format_cursor(cursors[-1]) if has_older else "",
        count=len(cursors) if is_whole_view else count_traces(view, project),
        is_cut=is_cut,
    )


def count_traces(view: FilterView, project: Project) -> int:
    """The number of traces of a view; MAX_COUNT + 1 stands for any larger number."""
    return view.matching(project)[: MAX_COUNT + 1].count()


def count_by_condition(view: FilterView, project: Project) -> list[tuple[Pair, int, str]]:
    """For each condition alone, at any time: the number of traces, and the query string of that view."""
    single_views = [(pair, replace(view, pairs=[pair], since=None, until=None)) for pair in view.pairs]
    return [(pair, count_traces(single, project), single.query) for pair, single in single_views]


def get_newest_pks(view: FilterView, project: Project, limit: int) -> list[int]:
    """The primary keys of a view's newest traces, newest first."""
    return [pk for _, pk in view.matching(project).order_by("-start_time", "-place")[:limit]]


def _get_cursors(view: FilterView, project: Project, cursor: str, *, is_backward: bool) -> tuple[list[Cursor], bool]:
    """The cursors of the traces next to a cursor, or of the first traces; one more than a page.

    Returns too whether only the newest traces of the view were sorted.
    """
    field, is_descending = view.order
    # Whether values fall in the direction of reading.
    is_falling = is_descending != is_backward
    bound = read_cursor(cursor, field) if cursor else None
    if field != SORTS["start"] and view.is_filtered:
        pks = get_newest_pks(view, project, MAX_SORTED + 1)
        has_value = Trace.objects.filter(**{f"{field}__isnull": False})
        values: list[Cursor] = []
        for batch in batched(pks[:MAX_SORTED]):
            values += has_value.filter(pk__in=batch).values_list(field, "pk")
        following = [row for row in values if bound is None or (row < bound if is_falling else row > bound)]
        return sorted(following, reverse=is_falling)[: PAGE_SIZE + 1], len(pks) > MAX_SORTED
    lookup, order = ("lt", (f"-{field}", "-place")) if is_falling else ("gt", (field, "place"))
    condition = Q()
    if bound is not None:
        # An index can use only the plain bound; the second condition separates traces with equal values.
        condition = Q(**{f"{field}__{lookup}e": bound[0]})
        condition &= Q(**{f"{field}__{lookup}": bound[0]}) | Q(**{f"place__{lookup}": bound[1]})
    if field == SORTS["start"]:
        return list(view.matching(project, condition).order_by(*order)[: PAGE_SIZE + 1]), False
    pulled = Trace.objects.filter(project=project, **{f"{field}__isnull": False}).pulled().annotate(place=F("pk"))
    return list(pulled.filter(condition).order_by(*order).values_list(field, "place")[: PAGE_SIZE + 1]), False


def format_cursor(cursor: Cursor) -> str:
    """A cursor as it is written in a URL."""
    value, pk = cursor
    return f"{value.isoformat() if isinstance(value, datetime) else value}_{pk}"


def read_cursor(text: str, field: str = SORTS["start"]) -> Cursor:
    """Parse a cursor from a URL. Raises FilterError."""
    value, _, number = text.rpartition("_")
    if not number.isdecimal() or not number.isascii() or len(number) > 18:
        raise FilterError(INVALID_CURSOR)
    return (parse_time(value, INVALID_CURSOR) if field == SORTS["start"] else _parse_number(value)), int(number)


def _parse_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise FilterError(INVALID_CURSOR) from None
    if not math.isfinite(value):
        raise FilterError(INVALID_CURSOR)
    return value
