"""A patch that another program hands over, read strictly from JSON and looked through before it is taken."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from reviewapp.delivery.lint import lint
from reviewapp.lib import canonical_json, trace_ids

FIELDS = {"trace_id", "metadata", "tags", "idempotency_key"}
# Characters of an idempotency key; tags of a patch, and characters of one.
MAX_IDEMPOTENCY_KEY_LENGTH = 200
MOST_TAGS = 20
TAG = 60

# A patch as OpenAPI describes it; what is checked stands below.
SCHEMA = {
    "type": "object",
    "required": ["trace_id", "metadata"],
    "additionalProperties": False,
    "properties": {
        "trace_id": {"type": "string", "description": "A UUID in any spelling, or 32 hex digits"},
        "metadata": {
            "type": "object",
            "minProperties": 1,
            "description": "Merged into the trace's metadata; 64 KB at most. null empties a key, nothing deletes it",
        },
        "tags": {
            "type": "array",
            "maxItems": MOST_TAGS,
            "items": {"type": "string", "maxLength": TAG},
            "description": "Names for the trace's top span; they are only ever added",
        },
        "idempotency_key": {
            "type": "string",
            "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH,
            "description": "Your name for this patch: under the same name it is put once, however often it is sent",
        },
    },
}


class InvalidPatchError(ValueError):
    """It cannot be taken; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class PatchInput:
    """Metadata and tags for a trace. `name` is the caller's own for this patch, empty when it gave none."""

    trace_id: UUID
    metadata: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    idempotency_key: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Sixty-four hex digits for what is to be pushed, whatever it is called."""
        said = {"trace_id": str(self.trace_id), "metadata": self.metadata, "tags": self.tags}
        return hashlib.sha256(canonical_json.dumps(said).encode()).hexdigest()


def parse_patch_input(sent: Any) -> PatchInput:
    """The patch that a parsed JSON value is: `{"trace_id", "metadata"}`, and if wanted more. Raises NotAPatch."""
    if not isinstance(sent, dict):
        raise InvalidPatchError('A patch is an object of the form {"trace_id": "…", "metadata": {…}}.')
    if unknown := sorted(sent.keys() - FIELDS):
        shown = unknown[0][:40].encode("utf-8", "replace").decode()
        raise InvalidPatchError(f"There is no field “{shown}”; there are {', '.join(sorted(FIELDS))}.")
    trace_id, metadata = sent.get("trace_id"), sent.get("metadata")
    if not isinstance(trace_id, str):
        raise InvalidPatchError("The trace_id is missing or not a text.")
    if not isinstance(metadata, dict):
        raise InvalidPatchError("The metadata is missing or not an object.")
    return build_patch_input(trace_id, metadata, sent.get("tags"), name_of(sent.get("idempotency_key")))


def build_patch_input(
    trace_id: str, metadata: Mapping[str, Any], tags: Any = None, idempotency_key: str = ""
) -> PatchInput:
    """The patch of these parts, with what is unwise about it. Raises NotAPatch."""
    try:
        parsed = trace_ids.parse(trace_id)
    except trace_ids.InvalidTraceIdError as error:
        raise InvalidPatchError(str(error)) from None
    findings = lint(metadata)
    for finding in findings:
        if finding.severity == "refusal":
            raise InvalidPatchError(finding.sentence)
    return PatchInput(parsed, metadata, _tags(tags), idempotency_key, tuple(finding.sentence for finding in findings))


def parse_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """The metadata of `key=value` texts; a value that is JSON is that value, any other a text. Raises NotAPatch."""
    metadata: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidPatchError(f"“{_shown(pair)}” is no pair: write it as key=value.")
        if key in metadata:
            raise InvalidPatchError(f"The key “{_shown(key)}” stands twice.")
        metadata[key] = _value(key, value)
    return metadata


def name_of(value: Any) -> str:
    """An idempotency key, empty for none. Raises NotAPatch."""
    if value is None:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_IDEMPOTENCY_KEY_LENGTH or not value.isprintable():
        raise InvalidPatchError(
            f"The idempotency key must be a text of 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} printable characters."
        )
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidPatchError("The tags are not a list of texts.")
    if len(value) > MOST_TAGS:
        raise InvalidPatchError(f"These are {len(value)} tags; {MOST_TAGS} at most go with one patch.")
    for name in value:
        if not name.strip() or len(name) > TAG or not name.isprintable():
            shown = name[:TAG].encode("utf-8", "replace").decode()
            raise InvalidPatchError(f"“{shown}” is no tag: use {TAG} characters at most, on one line.")
    return tuple(dict.fromkeys(value))


def _value(key: str, text: str) -> Any:
    if text in ("NaN", "Infinity", "-Infinity"):
        raise InvalidPatchError(
            f"“{_shown(key)}”: {text} is not a JSON number. Put it in double quotes if you mean the text."
        )
    try:
        return canonical_json.parse(text)
    except canonical_json.InvalidJSONError:
        return text


def _shown(text: str) -> str:
    return text[:80].encode("utf-8", "replace").decode()
