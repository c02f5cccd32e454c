"""Change a queue's settings."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.queues import claiming
from reviewapp.queues.creating import check_unit_can_change, reserve_name
from reviewapp.queues.models import Queue


def change_queue(queue: Queue, actor: User | str, changes: Mapping[str, Any]) -> None:
    """Store these settings, in the database and here; others stay, another person may be changing them.

    Raises ValidationError.
    """
    for name, value in changes.items():
        setattr(queue, name, value)
    fields = list(changes)
    queue.clean_fields(exclude={field.name for field in queue._meta.fields} - set(fields))
    with transaction.atomic():
        if "unit" in changes:
            check_unit_can_change(queue)
        if "name" in changes:
            reserve_name(queue)
            fields.append("name_key")
        # Not the whole row: another lead may be changing the rubric in it.
        queue.save(update_fields=fields)
        if "reviewers_per_item" in changes:
            claiming.complete_reviewed(queue)
        detail = {name: str(value) for name, value in changes.items()}
        record(queue.project, actor, "changed queue", f"queue:{queue.slug}", **detail)
