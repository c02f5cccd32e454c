"""Exceptions recorded on spans: OpenTelemetry events named `exception`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reviewapp.lib.shortening import shorten

TEXT_LIMIT = 4_000
STACK_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class SpanException:
    """One exception: `text` is "Type: message"; `stack` is its stack trace, or empty."""

    text: str
    stack: str = ""
    occurred_at: datetime | None = None


def read(events: Sequence[Any]) -> list[SpanException]:
    """Return the exceptions among a span's events, in order. Never raises.

    An event is {name, timestamp, attributes}; Laminar stores the attributes as JSON text and the time in nanoseconds.
    """
    if not isinstance(events, (list, tuple)):
        return []
    return [_read_event(event) for event in events if isinstance(event, dict) and event.get("name") == "exception"]


def _read_event(event: dict[str, Any]) -> SpanException:
    attributes = _parse_attributes(event.get("attributes"))
    kind, message = (_to_text(attributes.get(f"exception.{key}")) for key in ("type", "message"))
    text = ": ".join(word for word in (kind, message) if word) or "An exception without a message."
    stack = _to_text(attributes.get("exception.stacktrace"))
    return SpanException(shorten(text, TEXT_LIMIT), stack[-STACK_LIMIT:], _parse_timestamp(event.get("timestamp")))


def _parse_attributes(attributes: Any) -> dict[str, Any]:
    if isinstance(attributes, str):
        try:
            attributes = json.loads(attributes)
        except (ValueError, RecursionError):
            return {}
    return attributes if isinstance(attributes, dict) else {}


def _to_text(value: Any) -> str:
    return "" if value is None else str(value).strip().encode("utf-8", "replace").decode()


def _parse_timestamp(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and not value.isdecimal():
            return datetime.fromisoformat(value)
        return datetime.fromtimestamp(int(value) / 1e9, UTC) if value else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
