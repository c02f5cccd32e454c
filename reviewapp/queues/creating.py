"""Make a queue."""

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
    """A new queue of the project, its scale that of a preset of `rubrics.PRESETS` where one is named.

    Raises ValidationError when its address is taken or a setting cannot be.
    """
    queue = Queue(project=project, slug=slug, name=name, **settings)
    if preset:
        versions.use_preset(queue, versions.PRESETS[preset])
    queue.clean_fields()
    queue.clean()
    if slug == "new":
        raise ValidationError("“new” is the address of the page that makes queues. Choose another address.")
    try:
        with transaction.atomic():
            queue.save(force_insert=True)
            versions.start(queue, actor)
            record(project, actor, "made queue", f"queue:{slug}")
    except IntegrityError:
        raise ValidationError(f"The project has a queue “{slug}” already. Choose another address.") from None
    return queue
