"""Remove a trace from a queue permanently."""

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem, Removal


def remove(item: QueueItem, actor: User | str) -> bool:
    """Remove an item that nobody has reviewed; False if it has been reviewed or a colleague has claimed it.

    Rules and programs do not add it again, pasting its id does. Drafts for the item are deleted.
    """
    with transaction.atomic():
        # Take the same lock as `entry.add`, so that a concurrent add sees either the item or its removal.
        Queue.objects.select_for_update(no_key=True).get(pk=item.queue_id)
        removable = QueueItem.objects.select_for_update().filter(pk=item.pk, version=0)
        current = removable.free_for(None if isinstance(actor, str) else actor, clock.now()).first()
        if current is None:
            return False
        current.delete()
        Removal.objects.update_or_create(
            queue=item.queue, trace_id=item.trace_id, defaults={"by": get_actor_name(actor), "at": clock.now()}
        )
        record(item.queue.project, actor, "removed item", f"queue:{item.queue.slug}", trace_id=str(item.trace_id))
    return True
