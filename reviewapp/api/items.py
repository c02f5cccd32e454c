"""`POST queues/<slug>/items`: read strictly, naming the item at fault, and put into the queue."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status

from reviewapp.api.request_handling import ErrorOut, RequestRejected, error_response, get_token, parse_body
from reviewapp.lib import canonical_json, trace_ids
from reviewapp.queues import entry
from reviewapp.queues.entry import MAX_ITEMS, Entry
from reviewapp.queues.models import Queue

FIELDS = {"trace_id", "reason", "reference", "priority"}
PRIORITY = 1_000_000

# The body as OpenAPI describes it; what is checked stands below.
SCHEMA = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "maxItems": MAX_ITEMS,
            "items": {
                "type": "object",
                "required": ["trace_id"],
                "additionalProperties": False,
                "properties": {
                    "trace_id": {"type": "string", "description": "A UUID in any spelling, or 32 hex digits"},
                    "reason": {"type": "string", "maxLength": 300},
                    "reference": {"type": "string", "maxLength": 200, "description": "Your own handle of it"},
                    "priority": {"type": "integer", "description": "Higher comes first; 0 by default"},
                },
            },
        },
        "bring_back": {"type": "boolean", "description": "Also put in what a person removed from the queue"},
    },
}


router = Router()


class ItemOut(Schema):
    id: int | None
    trace_id: str
    state: str


class AddedOut(Schema):
    added: int
    duplicates: int
    removed: int
    items: list[ItemOut]


@router.post(
    "/queues/{slug:queue}/items",
    response={200: AddedOut, 400: ErrorOut, 401: ErrorOut, 404: ErrorOut, 413: ErrorOut},
    summary="Put traces into a queue",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": SCHEMA}}, "required": True}},
)
def add_items(request: HttpRequest, queue: str) -> Status[dict[str, object]]:
    """At most 1,000 a call; all or nothing. Traces already in the queue are told, never doubled.

    What a person removed from the queue stays out, its `state` being `removed`, unless the call says `bring_back`.
    """
    token = get_token(request)
    found = Queue.objects.select_related("project").filter(project=token.project, slug=queue).first()
    if found is None:
        return Status(404, {"error": f"There is no queue “{queue}” in this token's project. Nothing was added."})
    try:
        sent = parse_body(request)
        entries = _entries(sent)
    except RequestRejected as error:
        return error_response(error, "Item", "Nothing was added.")
    done = entry.add(found, entries, f"token:{token.name}", bring_back=sent.get("bring_back", False))
    items = [
        {"id": item and item.pk, "trace_id": str(asked.trace_id), "state": item.state if item else "removed"}
        for asked, item in zip(entries, done.items, strict=True)
    ]
    told = {"added": done.added, "duplicates": done.duplicates, "removed": done.removed, "items": items}
    return Status(200, told)


def _entries(sent: Any) -> list[Entry]:
    """The entries of `{"items": [...]}`, in order. Raises NotTaken."""
    if not isinstance(sent, dict) or not isinstance(sent.get("items"), list):
        raise RequestRejected('Send an object of the form {"items": [{"trace_id": "…"}]}.')
    if unknown := sorted(sent.keys() - {"items", "bring_back"}):
        raise RequestRejected(f"There is no field “{unknown[0][:40]}” beside items and bring_back.")
    if not isinstance(sent.get("bring_back", False), bool):
        raise RequestRejected("The field bring_back is true or false.")
    items = sent["items"]
    if not items:
        raise RequestRejected("The list of items is empty.")
    if len(items) > MAX_ITEMS:
        raise RequestRejected(f"These are {len(items):,} items; {MAX_ITEMS:,} at most go in one call. Split it.")
    return [_entry(item, line) for line, item in enumerate(items, 1)]


def _entry(item: Any, line: int) -> Entry:
    if not isinstance(item, dict):
        raise RequestRejected('Each item is an object with a "trace_id".', line)
    if unknown := sorted(item.keys() - FIELDS):
        raise RequestRejected(f"There is no field “{unknown[0][:40]}”; there are {', '.join(sorted(FIELDS))}.", line)
    trace_id = item.get("trace_id")
    if not isinstance(trace_id, str):
        raise RequestRejected("The trace_id is missing or not a text.", line)
    try:
        parsed = trace_ids.parse(trace_id)
    except trace_ids.InvalidTraceIdError as error:
        raise RequestRejected(str(error), line) from None
    return Entry(
        parsed, reason=_text(item, "reason", 300, line), reference=_text(item, "reference", 200, line),
        priority=_priority(item.get("priority"), line),
    )  # fmt: skip


def _text(item: dict[str, Any], name: str, most: int, line: int) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestRejected(f"The {name} is not a text.", line)
    if len(value) > most:
        raise RequestRejected(f"The {name} is longer than {most} characters.", line)
    try:
        canonical_json.normalize(value)
    except canonical_json.InvalidJSONError as error:
        raise RequestRejected(str(error), line) from None
    return value


def _priority(value: Any, line: int) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > PRIORITY:
        raise RequestRejected(f"The priority is a whole number of {PRIORITY:,} at most; higher comes first.", line)
    return value
