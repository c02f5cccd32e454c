"""Add traces to a queue under an idempotency key: a repeated call adds nothing and returns the first result."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction

from reviewapp.lib import canonical_json, clock
from reviewapp.lib.shortening import shorten
from reviewapp.queues.adding import AddResult, Entry, QueuedItem, add
from reviewapp.queues.models import IdempotentAdd, Queue, Source
from reviewapp.queues.sessions import find_items

BATCH_SIZE = 500
# After this time the idempotency key of a call can be used again.
RETENTION = timedelta(days=7)


class AddKeyReusedError(ValueError):
    """The idempotency key belongs to another call; nothing was added."""

    def __init__(self, idempotency_key: str) -> None:
        super().__init__(
            f"The idempotency key “{shorten(idempotency_key, 80)}” was already used for another call."
            " Use a new key for this one."
        )


def add_once(
    queue: Queue,
    entries: Sequence[Entry],
    actor: str,
    idempotency_key: str,
    *,
    refused: Sequence[Mapping[str, object]] = (),
    bring_back: bool = False,
) -> AddResult:
    """Add traces as `adding.add` does, once per project and key; a repeated call returns the items as they are now.

    `refused` has what the call contains beside the entries, as JSON: without it, it is another call.
    Raises AddKeyReusedError.
    """
    digest = _compute_digest(queue, entries, refused, bring_back=bring_back)
    with transaction.atomic():
        # Another call with this key waits here until this one has committed.
        call, is_new = IdempotentAdd.objects.get_or_create(
            project=queue.project, idempotency_key=idempotency_key, defaults={"digest": digest}
        )
        if not is_new:
            if call.digest != digest:
                raise AddKeyReusedError(idempotency_key)
            return AddResult(_find_items(queue, entries), call.added, call.duplicates, call.removed)
        result = add(queue, entries, actor, source=Source.API, bring_back=bring_back)
        IdempotentAdd.objects.filter(pk=call.pk).update(
            added=result.added, duplicates=result.duplicates, removed=result.removed
        )
    return result


def forget_old_calls() -> None:
    """Delete the oldest calls, BATCH_SIZE at most, that are older than RETENTION."""
    # By primary key, which is the order of time: no index on the time is needed.
    oldest = IdempotentAdd.objects.order_by("pk").values_list("pk", "created_at")
    limit = clock.now() - RETENTION
    if (first := oldest.first()) and first[1] < limit:
        old = [pk for pk, created_at in oldest[:BATCH_SIZE] if created_at < limit]
        IdempotentAdd.objects.filter(pk__in=old).delete()


def _compute_digest(
    queue: Queue, entries: Sequence[Entry], refused: Sequence[Mapping[str, object]], *, bring_back: bool
) -> str:
    items = [[str(entry.trace_id), entry.reason, entry.reference, entry.priority] for entry in entries]
    content: dict[str, object] = {"queue": queue.slug, "items": items, "bring_back": bring_back}
    # Only if there are any, so that a call of an earlier release is known again.
    if any(entry.due_at for entry in entries):
        content["due_at"] = [entry.due_at and clock.iso(entry.due_at) for entry in entries]
    if refused:
        content["refused"] = [dict(element) for element in refused]
    return hashlib.sha256(canonical_json.dumps(content).encode()).hexdigest()


def _find_items(queue: Queue, entries: Sequence[Entry]) -> list[QueuedItem | None]:
    """The item of each entry, None for one that is no longer in the queue."""
    items = find_items(queue, [entry.trace_id for entry in entries])
    queued = {trace_id: QueuedItem(item.pk, item.state) for trace_id, item in items.items()}
    return [queued.get(entry.trace_id) for entry in entries]
