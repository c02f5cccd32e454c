"""Exceptions as spans carry them: OpenTelemetry events named `exception`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

TEXT_LIMIT = 4_000
STACK_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One exception: `text` is "Type: message"; `stack` is its stack trace, or empty."""

    text: str
    stack: str = ""
    occurred_at: datetime | None = None


def read(events: Sequence[Any]) -> list[Fault]:
    """The exceptions among a span's events, in their order. Never raises.

    An event is {name, timestamp, attributes}; Laminar stores the attributes as JSON text and the time in nanoseconds.
    """
    if not isinstance(events, (list, tuple)):
        return []
    return [_fault(event) for event in events if isinstance(event, dict) and event.get("name") == "exception"]


def _fault(event: dict[str, Any]) -> Fault:
    given = _attributes(event.get("attributes"))
    kind, message = (_text(given.get(f"exception.{key}")) for key in ("type", "message"))
    text = ": ".join(word for word in (kind, message) if word) or "An exception without a message."
    stack = _text(given.get("exception.stacktrace"))
    return Fault(text[:TEXT_LIMIT], stack[-STACK_LIMIT:], _at(event.get("timestamp")))


def _attributes(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return {}
    return given if isinstance(given, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip().encode("utf-8", "replace").decode()


def _at(given: Any) -> datetime | None:
    if isinstance(given, datetime):
        return given
    try:
        if isinstance(given, str) and not given.isdecimal():
            return datetime.fromisoformat(given)
        return datetime.fromtimestamp(int(given) / 1e9, UTC) if given else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
