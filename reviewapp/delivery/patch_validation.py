"""A patch of another program: parsed strictly from JSON and checked before it is put into the outbox."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from reviewapp.delivery.lint import lint
from reviewapp.lib import canonical_json, names, trace_ids
from reviewapp.lib.shortening import shorten

FIELDS = {"trace_id", "metadata", "tags", "idempotency_key"}
# Characters of an idempotency key, tags per patch, and characters of a tag.
MAX_IDEMPOTENCY_KEY_LENGTH = 200
MAX_TAGS = 20
MAX_TAG_LENGTH = 60


class InvalidPatchError(ValueError):
    """The patch cannot be put; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class PatchInput:
    """Metadata and tags for a trace; `idempotency_key` is chosen by the caller and empty if there is none."""

    trace_id: UUID
    metadata: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    idempotency_key: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A hash of the content, without the idempotency key: 64 hex digits."""
        content = {"trace_id": str(self.trace_id), "metadata": self.metadata, "tags": self.tags}
        return hashlib.sha256(canonical_json.dumps(content).encode()).hexdigest()


def parse_patch_input(data: Any) -> PatchInput:
    """Parse a JSON value: an object with `trace_id` and `metadata`, and optionally the other FIELDS.

    Raises InvalidPatchError.
    """
    if not isinstance(data, dict):
        raise InvalidPatchError('A patch is an object of the form {"trace_id": "…", "metadata": {…}}.')
    if unknown := sorted(data.keys() - FIELDS):
        name = shorten(unknown[0], 40).encode("utf-8", "replace").decode()
        raise InvalidPatchError(f"There is no field “{name}”. The fields are {', '.join(sorted(FIELDS))}.")
    trace_id, metadata = data.get("trace_id"), data.get("metadata")
    if not isinstance(trace_id, str):
        raise InvalidPatchError("The trace_id is missing or not a text.")
    if not isinstance(metadata, dict):
        raise InvalidPatchError("The metadata is missing or not an object.")
    idempotency_key = parse_idempotency_key(data.get("idempotency_key"))
    return build_patch_input(trace_id, metadata, data.get("tags"), idempotency_key)


def build_patch_input(
    trace_id: str, metadata: Mapping[str, Any], tags: Any = None, idempotency_key: str = ""
) -> PatchInput:
    """Check these parts and return the patch with its warnings. Raises InvalidPatchError."""
    try:
        parsed_trace_id = trace_ids.parse(trace_id)
    except trace_ids.InvalidTraceIdError as error:
        raise InvalidPatchError(str(error)) from None
    findings = lint(metadata)
    for finding in findings:
        if finding.severity == "refusal":
            raise InvalidPatchError(finding.sentence)
    warnings = tuple(finding.sentence for finding in findings)
    return PatchInput(parsed_trace_id, metadata, _parse_tags(tags), idempotency_key, warnings)


def parse_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """Parse `key=value` texts into metadata; a value that is not valid JSON is a text. Raises InvalidPatchError."""
    metadata: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidPatchError(f"“{_printable(pair)}” is not a pair. Write it as key=value.")
        if key in metadata:
            raise InvalidPatchError(f"The key “{_printable(key)}” appears twice.")
        metadata[key] = _parse_value(key, value)
    return metadata


def parse_idempotency_key(value: Any) -> str:
    """An idempotency key, empty if there is none. Raises InvalidPatchError."""
    if value is None:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_IDEMPOTENCY_KEY_LENGTH or not value.isprintable():
        raise InvalidPatchError(
            f"The idempotency key must be a text of 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} printable characters."
        )
    return value


def _parse_tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidPatchError("The tags are not a list of texts.")
    if len(value) > MAX_TAGS:
        raise InvalidPatchError(f"The patch has {len(value)} tags; the limit is {MAX_TAGS}.")
    for name in value:
        if sentence := names.describe_unreadable(name):
            raise InvalidPatchError(f"“{_printable(name)}” is not a valid tag. {sentence}")
        if not name.strip() or len(name) > MAX_TAG_LENGTH or not name.isprintable():
            start = shorten(name, MAX_TAG_LENGTH).encode("utf-8", "replace").decode()
            raise InvalidPatchError(
                f"“{start}” is not a valid tag. Use at most {MAX_TAG_LENGTH} characters on one line."
            )
    return tuple(dict.fromkeys(value))


def _parse_value(key: str, text: str) -> Any:
    if text in ("NaN", "Infinity", "-Infinity"):
        raise InvalidPatchError(
            f"“{_printable(key)}”: {text} is not a JSON number. Put it in double quotes if you mean the text."
        )
    try:
        return canonical_json.parse_input(text)
    except canonical_json.ChangedNumberError as error:
        raise InvalidPatchError(f"“{_printable(key)}”: {error}") from None
    except canonical_json.InvalidJSONError:
        return text


def _printable(text: str) -> str:
    return shorten(text, 80).encode("utf-8", "replace").decode()
