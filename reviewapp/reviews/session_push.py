"""What a review of a session pushes to the session's other traces."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from reviewapp.delivery.models import Patch, State
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.reviews.models import Review, SessionPatch
from reviewapp.traces.filters.session import SessionPlace, is_before, select_session
from reviewapp.traces.models import Trace

# Traces that one review is pushed to, all in one transaction: on SQLite every other save waits for it.
MAX_TRACES = 200


class PushedPatch(NamedTuple):
    """A patch of a review, with the previous values of its keys: JSON texts, None where there was no such key."""

    patch: Patch
    before: Mapping[str, str | None]


def list_other_traces(item: QueueItem) -> list[UUID]:
    """The traces besides the item's that a review of it is pushed to, MAX_TRACES with the item's at most.

    These are the traces before it in its session, the newest first, if the queue pushes to all of them; and first
    those that an earlier revision was pushed to, whose answers must not stay behind.
    """
    queue = item.queue
    if not queue.is_by_session:
        return []
    patched = SessionPatch.objects.filter(review__item=item, review__undone_at=None)
    trace_ids = list(patched.values_list("patch__trace_id", flat=True).distinct())
    if queue.pushes_to_all:
        traces = Trace.objects.filter(project=queue.project, trace_id=item.trace_id)
        trace = traces.only("project", "session_id", "start_time").first()
        if trace is not None and trace.session_id and trace.start_time is not None:
            earlier = select_session(trace).filter(is_before(trace)).order_by("-start_time", "-pk")
            trace_ids += earlier.values_list("trace_id", flat=True)[: MAX_TRACES - 1]
    return list(dict.fromkeys(trace_ids))[: MAX_TRACES - 1]


def keep_traces(queue: Queue, trace_ids: Sequence[UUID]) -> None:
    """Never prune these traces, whose rows the caller has locked."""
    unkept = Trace.objects.filter(project=queue.project, trace_id__in=trace_ids, is_kept=False)
    unkept.update(is_kept=True, read_due_at=clock.now())


def store_patches(review: Review, pushed: Sequence[PushedPatch]) -> None:
    """Store what a review pushes to other traces than its item's."""
    SessionPatch.objects.bulk_create(
        SessionPatch(review=review, patch=patch, before=json.dumps(before)) for patch, before in pushed
    )


def load_patches(review: Review, queue: Queue) -> list[PushedPatch]:
    """All patches of a review of this queue, the item's first."""
    pushed = [] if review.patch is None else [PushedPatch(review.patch, json.loads(review.before))]
    if queue.is_by_session:
        rows = SessionPatch.objects.filter(review=review).select_related("patch").order_by("pk")
        pushed += [PushedPatch(row.patch, json.loads(row.before)) for row in rows]
    return pushed


def count_states(review: Review, queue: Queue) -> dict[str, int]:
    """By state, how many patches deliver the review to other traces now: for a superseded one, the newer one does."""
    if not queue.is_by_session:
        return {}
    pks = list(SessionPatch.objects.filter(review=review).values_list("patch", flat=True))
    counts: dict[str, int] = {}
    while pks:
        rows = Patch.objects.filter(pk__in=pks).values_list("state", "superseded_by")
        ended = [state for state, newer in rows if state != State.SUPERSEDED or newer is None]
        counts |= {state: counts.get(state, 0) + ended.count(state) for state in set(ended)}
        pks = [newer for state, newer in rows if state == State.SUPERSEDED and newer is not None]
    return {state.value: counts[state] for state in State if state in counts}


def describe_push(queue: Queue, place: SessionPlace | None) -> str:
    """Say in a sentence which traces an answer is pushed to; `place` is that of the item's trace in its session."""
    earlier_count = place.position - 1 if place is not None and queue.pushes_to_all else 0
    if not earlier_count:
        return "Your answer is pushed to this trace."
    if earlier_count < MAX_TRACES:
        return f"Your answer is pushed to this trace and the {earlier_count} before it."
    return f"Your answer is pushed to this trace and the {MAX_TRACES - 1} before it, not to the older ones."
