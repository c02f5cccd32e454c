"""`POST queues/<slug>/items`: add traces to a queue. The published schema is above, its validator below."""

from datetime import datetime
from typing import Any, NamedTuple

from django.http import HttpRequest
from ninja import Field, P, PathEx, Router, Schema, Status

from reviewapp.api import openapi
from reviewapp.api.request_handling import (
    ErrorOut,
    ListErrorOut,
    Refused,
    RefusedOut,
    RequestRejected,
    check_text,
    describe_refused,
    error_response,
    parse_body,
    parse_each,
    refuse_unknown_fields,
    require_scope,
)
from reviewapp.delivery import patch_validation
from reviewapp.delivery.patch_validation import InvalidPatchError
from reviewapp.keys.models import Scope
from reviewapp.lib import trace_ids
from reviewapp.lib.local_time import DUE_TIME_PATTERN, parse_due_time
from reviewapp.queues import adding
from reviewapp.queues.adding import MAX_ITEMS, AddResult, Entry
from reviewapp.queues.idempotent_adding import AddKeyReusedError, add_once
from reviewapp.queues.models import ItemState, Queue, Source

MAX_REASON_LENGTH = 300
MAX_REFERENCE_LENGTH = 200
MAX_PRIORITY = 1_000_000
NOTHING_ADDED = "Nothing was added."

ITEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["trace_id"],
    "additionalProperties": False,
    "properties": {
        "trace_id": openapi.TRACE_ID_SCHEMA,
        "reason": {
            "type": ["string", "null"],
            "maxLength": MAX_REASON_LENGTH,
            "description": "Why it should be reviewed; reviewers see it above the trace",
        },
        "reference": {
            "type": ["string", "null"],
            "maxLength": MAX_REFERENCE_LENGTH,
            "description": "Your own id for it, for example an order number",
        },
        "priority": {
            "type": ["integer", "null"],
            "minimum": -MAX_PRIORITY,
            "maximum": MAX_PRIORITY,
            "description": "Higher comes first; 0 by default",
        },
        "due_at": {
            "type": ["string", "null"],
            "pattern": rf"^\s*{DUE_TIME_PATTERN}\s*$",
            "description": "When it should be reviewed by: a date, which means its end, or a time; in UTC unless it"
            " names another zone",
        },
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["items"],
    "additionalProperties": False,
    "properties": {
        "items": {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": ITEM_SCHEMA},
        "bring_back": {
            "type": "boolean",
            "description": "Also add traces that a person removed from this queue; false by default",
        },
    },
}
EXAMPLES = {
    "One trace": {"items": [{"trace_id": openapi.EXAMPLE_TRACE_ID}]},
    "With a reason, a priority and a due date": {
        "items": [
            {
                "trace_id": openapi.EXAMPLE_TRACE_ID,
                "reason": "The customer complained",
                "reference": "order 17",
                "priority": 10,
                "due_at": "2026-12-31T17:30Z",
            }
        ],
        "bring_back": True,
    },
}
RESPONSES: dict[int, openapi.Response] = {
    200: (
        "Every item of the call is in the queue, or was removed from it by a person.",
        {
            "added": 1,
            "duplicates": 0,
            "removed": 0,
            "items": [{"id": 4711, "trace_id": openapi.EXAMPLE_TRACE_ID, "state": "pending"}],
        },
    ),
    207: (
        "The items in “refused” are not valid. All others are in the queue, or were removed from it by a person.",
        {
            "added": 1,
            "duplicates": 0,
            "removed": 0,
            "items": [{"id": 4711, "trace_id": openapi.EXAMPLE_TRACE_ID, "state": "pending"}],
            "refused": [{"index": 1, "id": None, "reason": "The trace_id is missing or not a string."}],
        },
    ),
    400: (
        "The body, or every item in it, is not valid. Nothing was added.",
        {"error": f"Item 3: The trace_id is missing or not a string. {NOTHING_ADDED}", "line": 3},
    ),
    401: openapi.UNAUTHORIZED,
    403: openapi.MISSING_SCOPE,
    404: (
        "The token's project has no such queue.",
        {"error": f"There is no queue “answers” in this token's project. {NOTHING_ADDED}", "line": None},
    ),
    405: openapi.METHOD_NOT_ALLOWED,
    409: (
        "The queue is archived. Nothing was added.",
        {
            "error": f"This queue is archived. Take it out of the archive, or choose another queue. {NOTHING_ADDED}",
            "line": None,
        },
    ),
    413: openapi.too_large(NOTHING_ADDED),
    415: openapi.UNSUPPORTED_CHARSET,
    422: (
        "The idempotency key was already used for a different call. Nothing was added.",
        {
            "error": "The idempotency key “run 7” was already used for another call. Use a new key for this one."
            f" {NOTHING_ADDED}",
            "line": None,
        },
    ),
    429: openapi.RATE_LIMITED,
}
IDEMPOTENCY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": patch_validation.MAX_IDEMPOTENCY_KEY_LENGTH},
    "description": "Your own name for this call. Repeated with the same content, it adds nothing and returns the first"
    " result, with the items as they are now; with other content, it is refused",
}

router = Router()


class ItemOut(Schema):
    id: int | None = Field(description="The queue item; null if a person removed the trace from the queue")
    trace_id: str
    state: str = Field(json_schema_extra={"enum": [*ItemState.values, "removed"]})


class AddedOut(Schema):
    added: int = Field(description="Items that are new in the queue")
    duplicates: int = Field(description="Items that were already in the queue, or twice in the call")
    removed: int = Field(description="Items left out because a person removed them from the queue")
    items: list[ItemOut] = Field(description="All items of the call, in its order")


class PartlyAddedOut(AddedOut):
    items: list[ItemOut] = Field(description="All items of the call but the refused ones, in its order")
    refused: list[RefusedOut]


class ItemsInput(NamedTuple):
    """A validated body, and its items that are not valid. `bring_back` also adds traces that a person removed."""

    entries: list[Entry]
    refused: list[Refused]
    bring_back: bool


@router.post(
    "/queues/{slug:queue}/items",
    response={200: AddedOut, 207: PartlyAddedOut, 400: ListErrorOut | ErrorOut}
    | dict.fromkeys((401, 403, 404, 405, 409, 413, 415, 422, 429), ErrorOut),
    summary="Add traces to a queue",
    openapi_extra=openapi.describe_body(SCHEMA, EXAMPLES)
    | openapi.describe_responses(RESPONSES)
    | {"parameters": [IDEMPOTENCY_HEADER]},
)
def add_items(
    request: HttpRequest, queue: PathEx[str, P(description="The queue's name in its URL", example="answers")]
) -> Status[dict[str, object]]:
    """Add up to 1,000 traces per call. Repeating a call adds nothing twice.

    An item that is not valid does not stop the others: the answer is a 207, and “refused” has its position and the
    reason. If no item is valid, the answer is a 400.

    With an idempotency key, a repeated call also leaves out what was removed from the queue since, and returns the
    counts of the first call; the same key with other content is a 422. A key is forgotten after seven days.

    A trace that a person removed from the queue stays out, with the state “removed”, unless bring_back is true.
    """
    token = require_scope(request, Scope.QUEUE)
    target = Queue.objects.select_related("project").filter(project=token.project, slug=queue).first()
    if target is None:
        return Status(404, {"error": f"There is no queue “{queue}” in this token's project. {NOTHING_ADDED}"})
    try:
        body = parse_items(parse_body(request))
        result = _add(target, body, f"token:{token.name}", request.headers.get("Idempotency-Key"))
    except RequestRejected as error:
        return error_response(error, "Item", NOTHING_ADDED)
    items = [
        {"id": item and item.pk, "trace_id": str(sent.trace_id), "state": item.state if item else "removed"}
        for sent, item in zip(body.entries, result.items, strict=True)
    ]
    content = {"added": result.added, "duplicates": result.duplicates, "removed": result.removed, "items": items}
    if body.refused:
        return Status(207, {**content, "refused": describe_refused(body.refused)})
    return Status(200, content)


def _add(queue: Queue, body: ItemsInput, actor: str, idempotency_key: str | None) -> AddResult:
    """Add the entries, once if there is an idempotency key. Raises RequestRejected."""
    try:
        key = patch_validation.parse_idempotency_key(idempotency_key)
        if not key:
            return adding.add(queue, body.entries, actor, source=Source.API, bring_back=body.bring_back)
        refused = describe_refused(body.refused)
        return add_once(queue, body.entries, actor, key, refused=refused, bring_back=body.bring_back)
    except InvalidPatchError as error:
        raise RequestRejected(str(error)) from None
    except adding.QueueArchivedError as error:
        raise RequestRejected(str(error), status=409) from None
    except AddKeyReusedError as error:
        raise RequestRejected(str(error), status=422) from None


def parse_items(body: Any) -> ItemsInput:
    """Validate parsed JSON against what SCHEMA says, and more that it cannot.

    Raises RequestRejected if the body or every item in it is not valid.
    """
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        raise RequestRejected('Send an object of the form {"items": [{"trace_id": "…"}]}.')
    refuse_unknown_fields(body, {"items", "bring_back"})
    bring_back = body.get("bring_back", False)
    if not isinstance(bring_back, bool):
        raise RequestRejected("The field bring_back must be true or false.")
    items = body["items"]
    if not items:
        raise RequestRejected("The list of items is empty.")
    if len(items) > MAX_ITEMS:
        raise RequestRejected(f"The list has {len(items):,} items; the maximum is {MAX_ITEMS:,} per call. Split it.")
    parsed, refused = parse_each(items, _parse_item)
    return ItemsInput(list(parsed.values()), refused, bring_back)


def _parse_item(item: Any) -> Entry:
    if not isinstance(item, dict):
        raise RequestRejected('Each item must be an object with a "trace_id".')
    refuse_unknown_fields(item, set(ITEM_SCHEMA["properties"]))
    trace_id = item.get("trace_id")
    if not isinstance(trace_id, str):
        raise RequestRejected("The trace_id is missing or not a string.")
    try:
        parsed_id = trace_ids.parse(trace_id)
    except trace_ids.InvalidTraceIdError as error:
        raise RequestRejected(str(error)) from None
    return Entry(
        parsed_id,
        reason=_parse_text(item, "reason", MAX_REASON_LENGTH),
        reference=_parse_text(item, "reference", MAX_REFERENCE_LENGTH),
        priority=_parse_priority(item.get("priority")),
        due_at=_parse_due(item.get("due_at")),
    )


def _parse_text(item: dict[str, Any], field: str, max_length: int) -> str:
    value = item.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestRejected(f"The {field} must be a string.")
    if len(value) > max_length:
        raise RequestRejected(f"The {field} is longer than {max_length} characters.")
    check_text(value)
    return value


def _parse_priority(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_PRIORITY:
        raise RequestRejected(
            f"The priority must be a whole number from {-MAX_PRIORITY:,} to {MAX_PRIORITY:,}; higher comes first."
        )
    return value


def _parse_due(value: Any) -> datetime | None:
    if value is None:
        return None
    due_at = parse_due_time(value.strip()) if isinstance(value, str) else None
    if due_at is None:
        raise RequestRejected("The due_at is not a date. Write it as 2026-12-31 or 2026-12-31T17:30Z.")
    return due_at
