"""Create a queue."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.lib import names
from reviewapp.queues.models import Queue, QueueItem, Removal
from reviewapp.queues.rubric import versions


def create_queue(
    project: Project, slug: str, name: str, actor: User | str, *, preset: str = "", **settings: Any
) -> Queue:
    """Create a queue in the project; `preset`, a key of `versions.PRESETS`, sets its score scale.

    Raises ValidationError if the address or the name is taken, or a setting is invalid.
    """
    queue = Queue(project=project, slug=slug, name=name, **settings)
    if preset:
        versions.apply_preset(queue, versions.PRESETS[preset])
    queue.clean_fields(exclude=["name_key"])
    queue.clean()
    if slug == "new":
        raise ValidationError("The address “new” is reserved for the page that creates queues. Choose another address.")
    try:
        with transaction.atomic():
            if Queue.objects.filter(project=project, slug=slug).exists():
                raise IntegrityError
            reserve_name(queue)
            queue.save(force_insert=True)
            versions.store_version(queue, actor)
            record(project, actor, "created queue", f"queue:{slug}")
    except IntegrityError:
        raise ValidationError(f"The project already has a queue “{slug}”. Choose another address.") from None
    return queue


def reserve_name(queue: Queue) -> None:
    """Set the queue's `name_key`, in the transaction that saves it.

    Raises ValidationError for the name if another queue of the project has it, or one that looks like it.
    """
    # Serialise the names of a project's queues.
    Project.objects.select_for_update(no_key=True).get(pk=queue.project_id)
    others = Queue.objects.filter(project=queue.project_id).exclude(pk=queue.pk).values_list("name", flat=True)
    try:
        names.validate_distinct(queue.name, others)
    except ValidationError as error:
        raise ValidationError({"name": error.messages}) from None
    queue.name_key = names.fold_name(queue.name)


def check_unit_can_change(queue: Queue) -> None:
    """Check that the queue is empty, in the transaction that saves its unit. Raises ValidationError."""
    # As `adding.add`: nobody adds an item meanwhile.
    Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
    if QueueItem.objects.filter(queue=queue).exists() or Removal.objects.filter(queue=queue).exists():
        raise ValidationError({"unit": "This queue has had traces, so its unit cannot change. Create another queue."})
