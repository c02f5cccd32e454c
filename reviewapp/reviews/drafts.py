"""What a person has typed and not submitted, kept here so that another machine or day has it too."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Draft

# The longest text that is kept: notes too long to be submitted too, so that one can shorten them tomorrow.
MAX_DRAFT_SIZE = 400_000
# No answers: what the form carries to be safe and to know itself.
_NOT_KEPT = {"csrfmiddlewaretoken", "version", "client_id", "stay"}
# The item's row is held meanwhile, so that a draft on its way cannot outlive the submit that passes it.
_SAVE = """
    INSERT INTO reviewapp_draft (item_id, user_id, fields, version, saved_at)
    SELECT id, %s, %s, version, %s FROM reviewapp_queueitem WHERE id = %s AND version = %s FOR UPDATE
    ON CONFLICT (item_id, user_id) DO UPDATE
    SET fields = excluded.fields, version = excluded.version, saved_at = excluded.saved_at
"""
_OF = "SELECT * FROM reviewapp_draft WHERE item_id = %s AND user_id = %s"
_DROP = "DELETE FROM reviewapp_draft WHERE item_id = %s AND user_id = %s"


class TooLong(Exception):
    """The fields hold more than is kept as a draft; nothing was written."""


def save_form(item: QueueItem, user: User, typed: QueryDict, *, version: int) -> bool:
    """Keep the form's fields; False when the item is no longer at `version`. Raises TooLong."""
    return save_fields(
        item,
        user,
        {name: values if len(values) > 1 else values[0] for name, values in _answers(typed).items()},
        version=version,
    )


def save_fields(item: QueueItem, user: User, fields: Mapping[str, str | list[str]], *, version: int) -> bool:
    """Keep these fields; False when the item is no longer at `version`. Raises TooLong."""
    # Escaped, so that the database takes what a review may not hold: a draft refuses no character.
    text = json.dumps(fields)
    if len(text) > MAX_DRAFT_SIZE:
        raise TooLong
    return bool(sql.execute(_SAVE, user.pk, text, clock.now(), item.pk, version))


def get_draft(item: QueueItem, user: User) -> Draft | None:
    """This person's draft for the item."""
    return sql.fetch_first(Draft, _OF, item.pk, user.pk)


def parse_fields(draft: Draft) -> dict[str, Any]:
    """The draft's fields: name to text, or to a list of texts where a field came several times."""
    found: dict[str, Any] = json.loads(draft.fields)
    return found


def delete_draft(item: QueueItem, user: User) -> None:
    """Forget this person's draft for the item, if there is one."""
    sql.execute(_DROP, item.pk, user.pk)


def _answers(typed: QueryDict) -> dict[str, list[str]]:
    return {name: values for name, values in typed.lists() if name not in _NOT_KEPT and values}
