"""Answer the conditions of the trace list that concern reviews."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from reviewapp.accounts.models import Project, User
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from reviewapp.reviews.visibility import select_visible
from reviewapp.traces.filters.conditions import HAS_HIDDEN_REVIEW, Condition, get_number, get_value


def find_reviewed(
    project: Project, viewer: User | None, conditions: Sequence[Condition], trace_ids: Sequence[UUID]
) -> set[UUID]:
    """Those of the traces that have a newest review, or an item, that meets all conditions.

    Uses only the reviews that the viewer may see: to anybody else, such a trace is one without that review.
    """
    state = get_value(conditions, "review")
    if HAS_HIDDEN_REVIEW in conditions:
        return _find_hidden(project, viewer, trace_ids)
    others = [condition for condition in conditions if condition.name != "review"]
    matching = set(trace_ids)
    if state == "queued":
        items = QueueItem.objects.pending().filter(queue__project=project, trace_id__in=matching)
        matching &= set(items.values_list("trace_id", flat=True))
    if state in ("", "queued") and not others:
        return matching
    visible = select_visible(project, viewer).filter(is_latest=True, item__trace_id__in=matching)
    reviewed = set(visible.filter(_build_condition(conditions)).values_list("item__trace_id", flat=True))
    return matching - set(visible.values_list("item__trace_id", flat=True)) if state == "none" else reviewed


def _find_hidden(project: Project, viewer: User | None, trace_ids: Sequence[UUID]) -> set[UUID]:
    reviews = Review.objects.filter(item__queue__project=project, item__trace_id__in=trace_ids, is_latest=True)
    visible = select_visible(project, viewer).filter(item__trace_id__in=trace_ids, is_latest=True)
    return set(reviews.exclude(pk__in=visible.values("pk")).values_list("item__trace_id", flat=True))


def _build_condition(conditions: Sequence[Condition]) -> Q:
    condition = Q()
    if reviewer := get_value(conditions, "reviewer"):
        condition &= Q(reviewer__username=reviewer)
    for name, lookup in {"min_score": "gte", "max_score": "lte"}.items():
        number = get_number(conditions, name)
        if number is not None:
            condition &= Q(**{f"score__{lookup}": number})
    state = get_value(conditions, "review")
    if state == "flagged":
        condition &= Q(needs_review=True)
    return condition & Q(is_unsure=True) if state == "unsure" else condition
