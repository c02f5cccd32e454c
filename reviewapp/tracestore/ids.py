"""Laminar's ids: trace ids (16 bytes) and span ids (8 bytes), both written as UUIDs."""

import base64
import binascii
import re
from uuid import UUID

from reviewapp.lib import trace_ids

_HYPHENATED = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

NIL = "00000000-0000-0000-0000-000000000000"


class InvalidIdError(ValueError):
    """The bytes or text are not an id of the expected kind."""


def trace(raw: bytes) -> str:
    """Convert the 16 bytes of a trace id to UUID text. Raises InvalidIdError."""
    if len(raw) != 16:
        raise InvalidIdError(f"a trace id has {len(raw)} bytes, not 16")
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def span(raw: bytes) -> str:
    """Convert the 8 bytes of a span id, padded on the left, to UUID text. Raises InvalidIdError."""
    if len(raw) != 8:
        raise InvalidIdError(f"a span id has {len(raw)} bytes, not 8")
    digits = raw.hex()
    return f"00000000-0000-0000-{digits[:4]}-{digits[4:]}"


def from_text(text: object, size: int) -> bytes:
    """Decode an OTLP/JSON id: hex per OpenTelemetry, or base64 per protobuf's JSON. Raises InvalidIdError."""
    if not isinstance(text, str):
        raise InvalidIdError("an id must be a string")
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * size else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != size:
        raise InvalidIdError(f"an id of {size} bytes is neither hex nor base64")
    return raw


def uuid(value: object) -> str:
    """Normalise a JSON value to a UUID in lower case with hyphens. Raises InvalidIdError."""
    if not isinstance(value, str) or value != value.strip():
        raise InvalidIdError("invalid type: expected a UUID string")
    try:
        return str(trace_ids.parse(value))
    except trace_ids.InvalidTraceIdError:
        raise InvalidIdError("UUID parsing failed") from None


def path_id(value: object) -> str:
    """Normalise an entry of `lmnr.span.ids_path` to UUID text; empty if it is not a UUID."""
    if isinstance(value, str) and _HYPHENATED.fullmatch(value):
        return value.lower()
    try:
        return str(UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""
