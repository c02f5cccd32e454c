"""Read the items of a call: strictly, and naming the one at fault."""

from typing import Any

from reviewapp.lib import canonical_json, trace_ids
from reviewapp.queues.entry import MOST, Entry

FIELDS = {"trace_id", "reason", "reference", "priority"}
PRIORITY = 1_000_000

# The body as OpenAPI describes it; what is checked stands below.
SCHEMA = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "maxItems": MOST,
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
        }
    },
}


class NotItems(ValueError):
    """The body cannot be taken; nothing was added. `line` is the number of the item at fault, from 1, if it is one."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"Item {line}: {message} Nothing was added." if line else f"{message} Nothing was added.")
        self.line = line


def read_items(body: bytes) -> list[Entry]:
    """The entries of `{"items": [...]}`, in order. Raises NotItems."""
    try:
        sent = canonical_json.parse(body)
    except canonical_json.NotCanonical as error:
        raise NotItems(f"The body is not the JSON it should be: {error}") from None
    if not isinstance(sent, dict) or not isinstance(sent.get("items"), list):
        raise NotItems('Send an object of the form {"items": [{"trace_id": "…"}]}.')
    if unknown := sorted(sent.keys() - {"items"}):
        raise NotItems(f"There is no field “{unknown[0][:40]}” beside items.")
    items = sent["items"]
    if not items:
        raise NotItems("The list of items is empty.")
    if len(items) > MOST:
        raise NotItems(f"These are {len(items):,} items; {MOST:,} at most go in one call. Split it.")
    return [_entry(item, line) for line, item in enumerate(items, 1)]


def _entry(item: Any, line: int) -> Entry:
    if not isinstance(item, dict):
        raise NotItems('Each item is an object with a "trace_id".', line)
    if unknown := sorted(item.keys() - FIELDS):
        raise NotItems(f"There is no field “{unknown[0][:40]}”; there are {', '.join(sorted(FIELDS))}.", line)
    trace_id = item.get("trace_id")
    if not isinstance(trace_id, str):
        raise NotItems("The trace_id is missing or not a text.", line)
    try:
        parsed = trace_ids.parse(trace_id)
    except trace_ids.NotATraceId as error:
        raise NotItems(str(error), line) from None
    return Entry(
        parsed, reason=_text(item, "reason", 300, line), reference=_text(item, "reference", 200, line),
        priority=_priority(item.get("priority"), line),
    )  # fmt: skip


def _text(item: dict[str, Any], name: str, most: int, line: int) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotItems(f"The {name} is not a text.", line)
    if len(value) > most:
        raise NotItems(f"The {name} is longer than {most} characters.", line)
    try:
        canonical_json.normal(value)
    except canonical_json.NotCanonical as error:
        raise NotItems(str(error), line) from None
    return value


def _priority(value: Any, line: int) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > PRIORITY:
        raise NotItems(f"The priority is a whole number of {PRIORITY:,} at most; higher comes first.", line)
    return value
