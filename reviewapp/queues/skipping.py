"""Pass an item on: later for oneself, for somebody else, or for nobody."""

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.lib import clock, sql
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, QueueItem, Skip

NOBODY = "nobody"
SKIP_TARGETS = {Skip.Kind.LATER.value: "later", Skip.Kind.OTHER.value: "for somebody else", NOBODY: "for nobody"}
# What a person did who skipped, in words.
SKIPS = {Skip.Kind.LATER.value: "put off", Skip.Kind.OTHER.value: "left to somebody else"}

# A pass is said anew rather than twice; the newest word counts.
_NOTE = """
    INSERT INTO reviewapp_pass (item_id, user_id, kind, reason, at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (item_id, user_id) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, at = excluded.at
"""


def skip(item: QueueItem, user: User, whom: str, reason: str = "") -> bool:
    """Leave an item unanswered, `whom` one of FOR; False when it was reviewed meanwhile or a colleague holds it.

    Later: this person gets it again after all others. For somebody else: the others get it, this person does not.
    For nobody: it leaves the queue's pending items until somebody takes it up again.
    """
    with transaction.atomic():
        left = claiming.set_skipped(item, user) if whom == NOBODY else claiming.release(item, user)
        if left:
            save_skip(item, user, Skip.Kind.OTHER if whom == NOBODY else whom, reason)
            record(item.queue.project, user, "skipped item", f"item:{item.pk}", whom=SKIP_TARGETS[whom], reason=reason)
    return left


def undo_skip(item: QueueItem, user: User) -> bool:
    """Take one's own skip back: the item is pending and this person's; False when others have gone on with it."""
    with transaction.atomic():
        if not claiming.put_back(item, user, SKIPS):
            return False
        Skip.objects.filter(item=item, user=user, kind__in=SKIPS).delete()
        record(item.queue.project, user, "put back item", f"item:{item.pk}")
    return True


def describe_skip(item: QueueItem, user: User) -> str:
    """How this person skipped an item that nobody has gone on with since, in words; empty where they did not."""
    if item.state == ItemState.COMPLETED or item.is_claimed_by_other(user):
        return ""
    kind = Skip.objects.filter(item=item, user=user, kind__in=SKIPS).values_list("kind", flat=True).first()
    if kind is None:
        return ""
    return "left out" if item.state == ItemState.SKIPPED else SKIPS[kind]


def save_skip(item: QueueItem, user: User, kind: str, reason: str = "") -> None:
    """Remember that this person does not take the item now. Call it in a transaction."""
    sql.execute(_NOTE, item.pk, user.pk, kind, reason, clock.now())
