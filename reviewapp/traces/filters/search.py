"""Search a view for traces that meet conditions which no single index answers together.

The most selective condition with an index names the candidates, in the order of their start times; the others are
checked batch by batch. A search ends after a number of candidates, however large the project is, and says where.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db.models import BooleanField, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.module_loading import import_string

from reviewapp.accounts.models import Project, User
from reviewapp.traces import queries
from reviewapp.traces.filter_models import TraceTag
from reviewapp.traces.filters.conditions import HAS_HIDDEN_REVIEW, REVIEW_CONDITIONS, Condition, get_number, get_value
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.metadata.tags import Tag, load_tags
from reviewapp.traces.models import Trace

# Candidates that one page examines, and those that a bulk action or an export does.
MAX_EXAMINED, MAX_EXAMINED_IN_BULK = 5_000, 50_000
BATCH_SIZE = 500
# A start time and the trace's primary key.
StartCursor = tuple[datetime, int]


class ReviewLookup(Protocol):
    """Returns those of the traces that meet all review conditions, by reviews that this person may see."""

    def __call__(
        self, project: Project, viewer: User | None, conditions: Sequence[Condition], trace_ids: Sequence[UUID]
    ) -> set[UUID]: ...


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The traces, in order. `stopped_at` is the last candidate examined; None if the search ended for another reason:
    it found as many traces as were asked for, or reached the end of the view.
    """

    cursors: list[StartCursor]
    stopped_at: StartCursor | None = None


def past_cursor(field: str, bound: tuple[Any, int], *, is_falling: bool) -> Q:
    """The condition for rows behind a value of `field` and a primary key, in the direction of reading."""
    lookup = "lt" if is_falling else "gt"
    # An index can use only the plain bound; the second condition separates traces with equal values.
    condition = Q(**{f"{field}__{lookup}e": bound[0]})
    return condition & (Q(**{f"{field}__{lookup}": bound[0]}) | Q(**{f"place__{lookup}": bound[1]}))


def search(
    view: FilterView, project: Project, limit: int, bound: StartCursor | None = None, *, is_falling: bool = True,
    max_examined: int | None = None,
) -> SearchResult:  # fmt: skip
    """At most `limit` traces of the view behind `bound`, newest first if `is_falling`, else oldest first."""
    order = ("-start_time", "-place") if is_falling else ("start_time", "place")
    cursors: list[StartCursor] = []
    for _ in range(0, max_examined or MAX_EXAMINED, BATCH_SIZE):
        past = Q() if bound is None else past_cursor("start_time", bound, is_falling=is_falling)
        batch: list[StartCursor] = list(_get_candidates(view, project, past).order_by(*order)[:BATCH_SIZE])
        matching = _select_matching(view, project, [pk for _, pk in batch])
        cursors += [cursor for cursor in batch if cursor[1] in matching]
        if len(batch) < BATCH_SIZE or len(cursors) >= limit:
            return SearchResult(cursors[:limit])
        bound = batch[-1]
    return SearchResult(cursors, bound)


def _get_candidate_source(conditions: Sequence[Condition]) -> str:
    """The condition whose index names the candidates; empty if that is the index of pairs, or of all traces."""
    if get_value(conditions, "session"):
        return "session"
    if any(condition.name in REVIEW_CONDITIONS and condition.value != "none" for condition in conditions):
        return "review"
    return next((name for name in ("user", "tag") if get_value(conditions, name)), "")


def _get_candidates(view: FilterView, project: Project, past: Q) -> QuerySet[Any]:
    """Tuples of start time and primary key of the traces behind a cursor that one condition selects by its index."""
    within, source = view.time_condition & past, _get_candidate_source(view.conditions)
    rows: QuerySet[Any]
    if source == "tag":
        tagged = TraceTag.objects.filter(project=project, name=get_value(view.conditions, "tag"))
        rows = tagged.filter(start_time__isnull=False).annotate(place=F("trace_id")).filter(within).distinct()
        return rows.values_list("start_time", "place")
    traces = Trace.objects.filter(project=project, start_time__isnull=False).pulled()
    if source == "session":
        rows = traces.filter(_raw_condition(queries.HAS_SESSION), session_id=get_value(view.conditions, "session"))
    elif source == "user":
        rows = traces.filter(_raw_condition(queries.HAS_USER), user_id=get_value(view.conditions, "user"))
    elif source == "review":
        rows = traces.filter(is_kept=True)
    elif get_value(view.conditions, "status") == "error" and not view.pairs:
        rows = traces.filter(_raw_condition(queries.HAS_FAILED))
    else:
        return view.matching(project, past)
    return rows.annotate(place=F("pk")).filter(within).values_list("start_time", "place")


def _select_matching(view: FilterView, project: Project, pks: Sequence[int]) -> set[int]:
    """Those of the traces that meet every condition of the view."""
    traces = Trace.objects.filter(_build_trace_condition(view.conditions), pk__in=pks)
    words = get_value(view.conditions, "text").casefold().split()
    fields = ("name", "excerpt__question", "excerpt__answer") if words else ()
    by_pk = {
        pk: trace_id
        for pk, trace_id, *texts in traces.values_list("pk", "trace_id", *fields)
        if not words or has_words(" ".join(filter(None, texts)), words)
    }
    for name in (condition.value for condition in view.conditions if condition.name == "tag"):
        tagged = _find_tagged(view, project, by_pk, name)
        by_pk = {pk: trace_id for pk, trace_id in by_pk.items() if pk in tagged}
    if view.pairs and by_pk and _get_candidate_source(view.conditions):
        paired = {pk for _, pk in view.matching(project, Q(place__in=list(by_pk)))}
        by_pk = {pk: trace_id for pk, trace_id in by_pk.items() if pk in paired}
    conditions = [condition for condition in view.conditions if condition.name in REVIEW_CONDITIONS]
    if not conditions or not by_pk:
        return set(by_pk)
    reviewed = look_up_reviews(project, view.viewer, conditions, list(by_pk.values()))
    return {pk for pk, trace_id in by_pk.items() if trace_id in reviewed}


def look_up_reviews(
    project: Project, viewer: User | None, conditions: Sequence[Condition], trace_ids: Sequence[UUID]
) -> set[UUID]:
    """Those of the traces that meet all review conditions, by reviews that the viewer may see."""
    look_up: ReviewLookup = import_string(settings.REVIEW_LOOKUP)
    return look_up(project, viewer, conditions, trace_ids)


def _find_tagged(view: FilterView, project: Project, by_pk: Mapping[int, UUID], name: str) -> set[int]:
    """Those of the traces that have the tag; a tag that is part of an answer counts only if the viewer may see it."""
    tagged: dict[int, Tag] = {}
    rows = TraceTag.objects.filter(trace__in=list(by_pk), name=name)
    for pk, source in rows.values_list("trace_id", "source"):
        tagged.setdefault(pk, Tag(name)).sources.add(source)
    answers = [by_pk[pk] for pk, tag in tagged.items() if tag.is_answer]
    hidden = look_up_reviews(project, view.viewer, [HAS_HIDDEN_REVIEW], answers) if answers else set()
    return {pk for pk, tag in tagged.items() if not (tag.is_answer and by_pk[pk] in hidden)}


def load_visible_tags(project: Project, viewer: User | None, traces: Sequence[Trace]) -> dict[int, list[Tag]]:
    """The tags of these traces by primary key, without those that are part of an answer the viewer may not see yet."""
    by_pk = load_tags(traces)
    answers = [trace.trace_id for trace in traces if any(tag.is_answer for tag in by_pk.get(trace.pk, []))]
    hidden = look_up_reviews(project, viewer, [HAS_HIDDEN_REVIEW], answers) if answers else set()
    return {
        trace.pk: [tag for tag in by_pk.get(trace.pk, []) if not (tag.is_answer and trace.trace_id in hidden)]
        for trace in traces
    }


def has_words(text: str, words: Sequence[str]) -> bool:
    """Whether a text has every one of these words or parts of words, which are case-folded."""
    folded = text.casefold()
    return all(word in folded for word in words)


def _build_trace_condition(conditions: Sequence[Condition]) -> Q:
    """The conditions that a trace's own row answers."""
    condition = Q()
    fields = {"status": "status", "session": "session_id", "user": "user_id"}
    for name, field in fields.items():
        if value := get_value(conditions, name):
            condition &= Q(**{field: value})
    for name, lookup in {"min_cost": "gte", "max_cost": "lte"}.items():
        number = get_number(conditions, name)
        if number is not None:
            condition &= Q(**{f"total_cost__{lookup}": number})
    return condition


def _raw_condition(condition: str) -> RawSQL:
    # A parameter would keep SQLite from using a partial index.
    return RawSQL(condition, (), BooleanField())  # noqa: S611 - constant text
