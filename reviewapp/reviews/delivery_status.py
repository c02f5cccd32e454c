"""How far a review's delivery has come, as pages show it."""

from reviewapp.delivery.models import State
from reviewapp.delivery.timeline import TimelineStep, build_timeline, find_overriding_patch, get_block_reason
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from reviewapp.reviews.session_push import count_states


def get_delivery_context(item: QueueItem, review: Review | None) -> dict[str, object]:
    """Template context: `review`, the `patch` that delivers it now, its `timeline`, and whether that `is_final`.

    `session_states` counts the patches of the session's other traces by state; they are part of `is_final`.
    """
    if review is None or review.patch is None:
        return {"review": review, "is_final": True}
    key = get_active_key(item.queue.project)
    can_read = key is not None and key.can_read
    patch = review.patch
    while patch.state == State.SUPERSEDED and patch.superseded_by is not None:
        patch = patch.superseded_by
    session_states = count_states(review, item.queue)
    final_states = {State.CONFIRMED, State.PARKED, State.SUPERSEDED}
    if key is not None and not key.can_read:
        final_states.add(State.ACCEPTED)
    is_final = {patch.state, *session_states} <= final_states
    timeline = build_timeline(
        patch,
        can_read=can_read,
        saved_at=review.submitted_at,
        is_replaced=patch != review.patch,
        block_reason=get_block_reason(patch),
    )
    if newer_patch := find_overriding_patch(patch):
        timeline.append(TimelineStep(f"newer values from {newer_patch.source}", "look", newer_patch.created_at))
    return {
        "review": review, "patch": patch, "is_final": is_final, "timeline": timeline, "session_states": session_states,
    }  # fmt: skip
