"""Unsubmitted forms, saved on the server so that they can be continued on another machine or another day."""

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any

from django.db import transaction
from django.http import QueryDict

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues import claiming
from reviewapp.queues.models import QueueItem
from reviewapp.reviews import queries
from reviewapp.reviews.forms import MAX_FORM_LENGTH
from reviewapp.reviews.models import Draft

# In characters of the answers: whatever can be submitted can be saved as a draft. Notes that are too long to submit
# can still be saved and shortened.
MAX_DRAFT_SIZE = MAX_FORM_LENGTH
# Form fields that are not answers.
_EXCLUDED_FIELDS = {"csrfmiddlewaretoken", "version", "trace", "client_id", "stay", "list", "active_seconds"}


class DraftTooLongError(Exception):
    """The fields exceed MAX_DRAFT_SIZE; nothing was saved."""


def save_form(item: QueueItem, user: User, form_data: QueryDict, *, version: int) -> bool:
    """Save the form's fields; False if `claiming.get_version` is no longer `version`. Raises DraftTooLongError."""
    fields = {
        name: values if len(values) > 1 else values[0]
        for name, values in form_data.lists()
        if name not in _EXCLUDED_FIELDS and values
    }
    return save_fields(item, user, fields, version=version)


def save_fields(item: QueueItem, user: User, fields: Mapping[str, str | list[str]], *, version: int) -> bool:
    """Save these fields; False if `claiming.get_version` is no longer `version`. Raises DraftTooLongError."""
    # Non-ASCII and NUL are escaped, so the database accepts characters that a review may not contain.
    text = json.dumps(fields)
    if sum(map(len, chain.from_iterable(map(_to_list, fields.values())))) > MAX_DRAFT_SIZE:
        raise DraftTooLongError
    with transaction.atomic():
        # Lock the item, so that a draft saved at the same time cannot outlive the submit that replaces it.
        locked = QueueItem.objects.select_for_update().filter(pk=item.pk).only("version").first()
        if locked is None:
            return False
        if version != (claiming.get_own_version(item, user) if item.has_several_reviewers else locked.version):
            return False
        draft = Draft(item=item, user=user, fields=text, version=version, saved_at=clock.now())
        Draft.objects.bulk_create(
            [draft], update_conflicts=True, unique_fields=["item", "user"],
            update_fields=["fields", "version", "saved_at"],
        )  # fmt: skip
        return True


def _to_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def get_draft(item: QueueItem, user: User) -> Draft | None:
    """This person's draft for the item."""
    return sql.fetch_first(Draft, queries.DRAFT_OF_USER, item.pk, user.pk)


def parse_fields(draft: Draft) -> dict[str, Any]:
    """The draft's fields by name: a text, or a list of texts for a field with several values."""
    fields: dict[str, Any] = json.loads(draft.fields)
    return fields


def delete_draft(item: QueueItem, user: User) -> None:
    """Delete this person's draft for the item, if there is one."""
    sql.execute(queries.DELETE_DRAFT, item.pk, user.pk)
