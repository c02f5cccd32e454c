"""Keyset pagination of a view's traces, without offsets, and their count up to a bound."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from reviewapp.accounts.models import Project
from reviewapp.lib.batches import batched
from reviewapp.traces.filters.filter_view import SORTS, FilterView, parse_time
from reviewapp.traces.filters.search import past_cursor, search
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

    `is_cut` if only the newest traces of the view were sorted. `searched_to` is the start time of the last trace that a
    search examined before it stopped: then `count` is what this page found, and the next page goes on from there.
    `is_minimum` if there may be more than `count`.
    """

    traces: list[Trace]
    newer: str
    older: str
    count: int
    is_cut: bool = False
    searched_to: datetime | None = None
    is_minimum: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether `count` is exact; else there are more than MAX_COUNT traces."""
        return self.count <= MAX_COUNT


@dataclass(frozen=True, slots=True)
class _Slice:
    """The cursors of the traces next to a place in the view, one more than a page if there are more.

    `is_cut` as in Page; `stopped_at` as in SearchResult, if the page is not full.
    """

    cursors: list[Cursor]
    is_cut: bool = False
    stopped_at: Cursor | None = None


def get_page(view: FilterView, project: Project, before: str = "", after: str = "") -> Page:
    """The page that follows the cursor `before`, or precedes the cursor `after`. Raises FilterError.

    The view's first page without a cursor, or if no traces are left on that side of it; but a search that finds no
    further ones has an empty last page, because it may have found none before either.
    """
    is_backward = bool(after) and not before
    part = _get_slice(view, project, before or after, is_backward=is_backward)
    if not part.cursors and not part.stopped_at and (after or (before and not view.conditions)):
        return get_page(view, project)
    newer, older = _get_page_cursors(part, before, after)
    cursors = part.cursors[:PAGE_SIZE]
    if is_backward:
        cursors.reverse()
    traces = Trace.objects.select_related("excerpt").defer(*UNLISTED).in_bulk([pk for _, pk in cursors])
    # Sorted by duration, a view leaves out traces that have not ended, but its count includes them.
    is_whole_view = not newer and not older and view.order[0] != SORTS["duration"]
    is_stopped = part.stopped_at is not None
    if is_whole_view or is_stopped:
        count, is_minimum = len(cursors), is_stopped
    else:
        count, is_minimum = _count_examined(view, project)
    return Page(
        [traces[pk] for _, pk in cursors if pk in traces],
        newer=newer,
        older=older,
        count=count,
        is_cut=part.is_cut,
        searched_to=part.stopped_at[0] if part.stopped_at else None,
        is_minimum=is_minimum,
    )


def _get_page_cursors(part: _Slice, before: str, after: str) -> tuple[str, str]:
    """The cursors of the previous and of the next page, as texts; empty where there is no such page."""
    is_backward, has_more = bool(after) and not before, len(part.cursors) > PAGE_SIZE
    shown = [format_cursor(cursor) for cursor in part.cursors[:PAGE_SIZE]]
    # Where a search stopped, the next page goes on.
    onward = format_cursor(part.stopped_at) if part.stopped_at else shown[-1] if has_more else ""
    back = shown[0] if shown and (before or after) else ""
    return (onward, back) if is_backward else (back, onward)


def get_neighbours(view: FilterView, project: Project, trace: Trace) -> tuple[Trace | None, Trace | None]:
    """The traces before and after this one in the view's order; None where a search finds none."""
    value = getattr(trace, view.order[0])
    if value is None:
        return None, None
    slices = (
        _get_slice(view, project, format_cursor((value, trace.pk)), is_backward=is_backward, limit=1)
        for is_backward in (True, False)
    )
    pks = [next((pk for _, pk in part.cursors), None) for part in slices]
    traces = Trace.objects.only("trace_id", "name").in_bulk([pk for pk in pks if pk is not None])
    before, after = (None if pk is None else traces.get(pk) for pk in pks)
    return before, after


def count_traces(view: FilterView, project: Project) -> int:
    """The number of traces of a view; MAX_COUNT + 1 stands for any larger number.

    With conditions, only of those that a search examines.
    """
    return _count_examined(view, project)[0]


def _count_examined(view: FilterView, project: Project) -> tuple[int, bool]:
    """The count, and whether a search stopped before the end of the view."""
    if view.conditions:
        result = search(view, project, MAX_COUNT + 1)
        return len(result.cursors), result.stopped_at is not None
    return view.matching(project)[: MAX_COUNT + 1].count(), False


def count_by_condition(view: FilterView, project: Project) -> list[tuple[Pair, int, str]]:
    """For each pair alone, at any time: the number of traces, and the query string of that view."""
    single_views = [(pair, replace(view, pairs=[pair], conditions=(), since=None, until=None)) for pair in view.pairs]
    return [(pair, count_traces(single, project), single.query) for pair, single in single_views]


def get_newest_pks(
    view: FilterView, project: Project, limit: int, max_examined: int | None = None
) -> tuple[list[int], bool]:
    """The primary keys of a view's newest traces, newest first, and whether a search stopped before the view's end."""
    if view.conditions:
        result = search(view, project, limit, max_examined=max_examined)
        return [pk for _, pk in result.cursors], result.stopped_at is not None
    return [pk for _, pk in view.matching(project).order_by("-start_time", "-place")[:limit]], False


def get_batch(view: FilterView, project: Project, cursor: str, limit: int) -> tuple[list[UUID], str]:
    """The ids of the view's next traces, newest first, and the cursor after them, empty at the view's end.

    The view must be sorted by start time. A search may find none and still return a cursor. Raises FilterError.
    """
    part = _get_slice(view, project, cursor, is_backward=False, limit=limit)
    last = part.stopped_at or (part.cursors[-1] if len(part.cursors) == limit else None)
    pks = [pk for _, pk in part.cursors]
    by_pk: dict[int, UUID] = {}
    for batch in batched(pks):
        by_pk |= dict(Trace.objects.filter(pk__in=batch).values_list("pk", "trace_id"))
    return [by_pk[pk] for pk in pks if pk in by_pk], format_cursor(last) if last else ""


def _get_slice(
    view: FilterView, project: Project, cursor: str, *, is_backward: bool, limit: int = PAGE_SIZE + 1
) -> _Slice:
    """The part of the view behind a cursor in the direction of reading, or its beginning."""
    field, is_descending = view.order
    # Whether values fall in the direction of reading.
    is_falling = is_descending != is_backward
    bound = read_cursor(cursor, field) if cursor else None
    if field != SORTS["start"] and view.is_filtered:
        return _sort_newest(view, project, field, bound, is_falling=is_falling)
    if view.conditions:
        result = search(view, project, limit, bound, is_falling=is_falling)
        return _Slice(list(result.cursors), stopped_at=result.stopped_at)
    order = (f"-{field}", "-place") if is_falling else (field, "place")
    condition = Q() if bound is None else past_cursor(field, bound, is_falling=is_falling)
    if field == SORTS["start"]:
        return _Slice(list(view.matching(project, condition).order_by(*order)[:limit]))
    pulled = Trace.objects.filter(project=project, **{f"{field}__isnull": False}).pulled().annotate(place=F("pk"))
    return _Slice(list(pulled.filter(condition).order_by(*order).values_list(field, "place")[:limit]))


def _sort_newest(view: FilterView, project: Project, field: str, bound: Cursor | None, *, is_falling: bool) -> _Slice:
    """Sort the newest traces of a filtered view by a field whose order no index has within the view."""
    pks, is_stopped = get_newest_pks(view, project, MAX_SORTED + 1)
    has_value = Trace.objects.filter(**{f"{field}__isnull": False})
    values: list[Cursor] = []
    for batch in batched(pks[:MAX_SORTED]):
        values += has_value.filter(pk__in=batch).values_list(field, "pk")
    following = [row for row in values if bound is None or (row < bound if is_falling else row > bound)]
    return _Slice(sorted(following, reverse=is_falling)[: PAGE_SIZE + 1], is_stopped or len(pks) > MAX_SORTED)


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
