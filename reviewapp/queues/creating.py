"""Create a queue."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import versions


def create_queue(
    project: Project, slug: str, name: str, actor: User | str, *, preset: str = "", **settings: Any
) -> Queue:
    """Create a queue in the project; `preset`, a key of `versions.PRESETS`, sets its score scale.

    Raises ValidationError if the address is taken or a setting is invalid.
    """
    queue = Queue(project=project, slug=slug, name=name, **settings)
    if preset:
        versions.apply_preset(queue, versions.PRESETS[preset])
    queue.clean_fields()
    queue.clean()
    if slug == "new":
        raise ValidationError("The address “new” is reserved for the page that creates queues. Choose another address.")
    try:
        with transaction.atomic():
            queue.save(force_insert=True)
            versions.store_version(queue, actor)
            record(project, actor, "created queue", f"queue:{slug}")
    except IntegrityError:
        raise ValidationError(f"The project already has a queue “{slug}”. Choose another address.") from None
    return queue
