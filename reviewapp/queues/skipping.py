"""Skip an item: postpone it, leave it to someone else, or take it out of the pending items."""

from collections.abc import Collection, Sequence

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.lib import clock
from reviewapp.queues import assignments, claiming, completion
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip

NOBODY = "nobody"
MAX_REASON_LENGTH = 300
# What the menu offers as a reason; any other can be typed.
REASONS = ("Cannot judge it", "Trace is incomplete", "Outside my field", "Seen before")
# The targets of a skip, with the words that the audit log records.
SKIP_TARGETS = {Skip.Kind.LATER.value: "later", Skip.Kind.OTHER.value: "for someone else", NOBODY: "for everyone"}
# The kinds of skip that can be undone, with the label that the reviewer sees.
_SKIP_LABELS = {Skip.Kind.LATER.value: "skipped for later", Skip.Kind.OTHER.value: "left for someone else"}


def find_reason_error(reasons: Sequence[str]) -> str:
    """Return why these values of a form's field cannot be the reason of a skip; empty if they can."""
    if len(reasons) > 1:
        return "Not skipped. The reason was sent twice. Send it once."
    length = len("".join(reasons).strip())
    if length > MAX_REASON_LENGTH:
        return f"Not skipped. The reason has {length:,} characters; the limit is {MAX_REASON_LENGTH}. Shorten it."
    if "\x00" in "".join(reasons):
        return "Not skipped. The reason contains a character that cannot be stored (NUL). Remove it."
    return ""


def skip(item: QueueItem, user: User, whom: str, reason: str = "") -> bool:
    """Skip an item, `whom` being a key of SKIP_TARGETS; False if it has been reviewed or a colleague has claimed it.

    Later: this person gets it again after all other items. For someone else: only other people get it. For nobody:
    it is no longer pending until somebody reopens it.
    """
    with transaction.atomic():
        leave = claiming.set_skipped if whom == NOBODY else claiming.release
        is_skipped = leave(item, user, skipped_by=user.username, skip_reason=reason)
        if is_skipped:
            if whom == Skip.Kind.OTHER:
                assignments.withdraw(item, user, user=user)
            save_skip(item, user, Skip.Kind.OTHER if whom == NOBODY else whom, reason)
            record(item.queue.project, user, "skipped item", f"item:{item.pk}", whom=SKIP_TARGETS[whom], reason=reason)
            if whom == NOBODY:
                completion.emit_if_completed(item.queue)
    return is_skipped


def put_back(queue: Queue, actor: User, pks: Collection[int] | None = None) -> int:
    """Make the queue's skipped items pending again, for everyone; with `pks`, only these. Returns their number."""
    skipped = QueueItem.objects.filter(queue=queue, state=ItemState.SKIPPED)
    with transaction.atomic():
        chosen = skipped if pks is None else skipped.filter(pk__in=pks)
        locked = list(chosen.select_for_update(no_key=True).values_list("pk", flat=True))
        Skip.objects.filter(item__in=locked).delete()
        QueueItem.objects.filter(pk__in=locked).change(state=ItemState.PENDING)
        if locked:
            record(queue.project, actor, "put back skipped items", f"queue:{queue.slug}", items=len(locked))
    return len(locked)


def undo_skip(item: QueueItem, user: User) -> bool:
    """Undo one's own skip: the item becomes pending and claimed by this person.

    False if there is no such skip, or the item has been reviewed or claimed by a colleague since.
    """
    with transaction.atomic():
        if not claiming.reclaim_skipped(item, user, _SKIP_LABELS):
            return False
        Skip.objects.filter(item=item, user=user, kind__in=_SKIP_LABELS).delete()
        record(item.queue.project, user, "undid skip", f"item:{item.pk}")
    return True


def describe_skip(item: QueueItem, user: User) -> str:
    """Label this person's skip of an item that nobody has reviewed or claimed since; empty if there is none."""
    if item.state == ItemState.COMPLETED or item.is_claimed_by_other(user):
        return ""
    kind = Skip.objects.filter(item=item, user=user, kind__in=_SKIP_LABELS).values_list("kind", flat=True).first()
    if kind is None:
        return ""
    return "skipped" if item.state == ItemState.SKIPPED else _SKIP_LABELS[kind]


def save_skip(item: QueueItem, user: User, kind: str, reason: str = "") -> None:
    """Store that this person skips the item; the newest skip replaces the one before. Call it in a transaction."""
    Skip.objects.bulk_create(
        [Skip(item=item, user=user, kind=kind, reason=reason, at=clock.now())],
        update_conflicts=True, unique_fields=["item", "user"], update_fields=["kind", "reason", "at"],
    )  # fmt: skip
