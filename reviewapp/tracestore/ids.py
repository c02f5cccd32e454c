"""Laminar's spelling of ids: 16-byte trace ids and 8-byte span ids, both shown as UUIDs."""

import base64
import binascii
import re
from uuid import UUID

from reviewapp.lib import trace_ids

_HYPHENATED = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

NIL = "00000000-0000-0000-0000-000000000000"


class NotAnId(ValueError):
    """The bytes or the text are not an id of that kind."""


def trace(raw: bytes) -> str:
    """A trace id's 16 bytes as a UUID text. Raises NotAnId."""
    if len(raw) != 16:
        raise NotAnId(f"a trace id has {len(raw)} bytes, not 16")
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def span(raw: bytes) -> str:
    """A span id's 8 bytes, padded on the left to a UUID text. Raises NotAnId."""
    if len(raw) != 8:
        raise NotAnId(f"a span id has {len(raw)} bytes, not 8")
    digits = raw.hex()
    return f"00000000-0000-0000-{digits[:4]}-{digits[4:]}"


def from_text(text: object, size: int) -> bytes:
    """The bytes of an OTLP/JSON id: hex as OpenTelemetry says, or base64 as protobuf says. Raises NotAnId."""
    if not isinstance(text, str):
        raise NotAnId("an id is not a text")
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * size else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != size:
        raise NotAnId(f"an id of {size} bytes is neither hex nor base64")
    return raw


def uuid(value: object) -> str:
    """The UUID that a JSON value spells, in lower case with hyphens. Raises NotAnId."""
    if not isinstance(value, str) or value != value.strip():
        raise NotAnId("invalid type: expected a UUID string")
    try:
        return str(trace_ids.parse(value))
    except trace_ids.InvalidTraceIdError:
        raise NotAnId("UUID parsing failed") from None


def path_id(value: object) -> str:
    """One entry of `lmnr.span.ids_path` as a UUID text, or the empty text."""
    if isinstance(value, str) and _HYPHENATED.fullmatch(value):
        return value.lower()
    try:
        return str(UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""
