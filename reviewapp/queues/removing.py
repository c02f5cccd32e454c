"""Take a trace out of a queue for good."""

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem, Removal


def remove(item: QueueItem, user: User) -> bool:
    """Remove an item that nobody has reviewed; False when it was reviewed, or a colleague holds it.

    Neither a rule nor a program brings it back; who pastes it does. What was typed for it and not submitted goes.
    """
    with transaction.atomic():
        # As `entry.add` does: whoever adds it at this moment sees the item or its removal.
        Queue.objects.select_for_update(no_key=True).get(pk=item.queue_id)
        mine = QueueItem.objects.select_for_update().filter(pk=item.pk, version=0).free_for(user, clock.now())
        found = mine.first()
        if found is None:
            return False
        found.delete()
        Removal.objects.update_or_create(
            queue=item.queue, trace_id=item.trace_id, defaults={"by": get_actor_name(user), "at": clock.now()}
        )
        record(item.queue.project, user, "removed item", f"queue:{item.queue.slug}", trace_id=str(item.trace_id))
    return True
