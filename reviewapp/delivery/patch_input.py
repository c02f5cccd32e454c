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
NAME = 200
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
            "maxLength": NAME,
            "description": "Your name for this patch: under the same name it is put once, however often it is sent",
        },
    },
}


class NotAPatch(ValueError):
    """It cannot be taken; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Handed:
    """Metadata and tags for a trace. `name` is the caller's own for this patch, empty when it gave none."""

    trace_id: UUID
    metadata: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    name: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Sixty-four hex digits for what is to be pushed, whatever it is called."""
        said = {"trace_id": str(self.trace_id), "metadata": self.metadata, "tags": self.tags}
        return hashlib.sha256(canonical_json.dumps(said).encode()).hexdigest()


def read(sent: Any) -> Handed:
    """The patch that a parsed JSON value is: `{"trace_id", "metadata"}`, and if wanted more. Raises NotAPatch."""
    if not isinstance(sent, dict):
        raise NotAPatch('A patch is an object of the form {"trace_id": "…", "metadata": {…}}.')
    if unknown := sorted(sent.keys() - FIELDS):
        shown = unknown[0][:40].encode("utf-8", "replace").decode()
        raise NotAPatch(f"There is no field “{shown}”; there are {', '.join(sorted(FIELDS))}.")
    trace_id, metadata = sent.get("trace_id"), sent.get("metadata")
    if not isinstance(trace_id, str):
        raise NotAPatch("The trace_id is missing or not a text.")
    if not isinstance(metadata, dict):
        raise NotAPatch("The metadata is missing or not an object.")
    return checked(trace_id, metadata, sent.get("tags"), name_of(sent.get("idempotency_key")))


def checked(trace_id: str, metadata: Mapping[str, Any], tags: Any = None, name: str = "") -> Handed:
    """The patch of these parts, with what is unwise about it. Raises NotAPatch."""
    try:
        parsed = trace_ids.parse(trace_id)
    except trace_ids.NotATraceId as error:
        raise NotAPatch(str(error)) from None
    findings = lint(metadata)
    for finding in findings:
        if finding.severity == "refusal":
            raise NotAPatch(finding.sentence)
    return Handed(parsed, metadata, _tags(tags), name, tuple(finding.sentence for finding in findings))


def of_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """The metadata of `key=value` texts; a value that is JSON is that value, any other a text. Raises NotAPatch."""
    metadata: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise NotAPatch(f"“{_shown(pair)}” is no pair: write it as key=value.")
        if key in metadata:
            raise NotAPatch(f"The key “{_shown(key)}” stands twice.")
        metadata[key] = _value(key, value)
    return metadata


def name_of(value: Any) -> str:
    """An idempotency key, empty for none. Raises NotAPatch."""
    if value is None:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= NAME or not value.isprintable():
        raise NotAPatch(f"The idempotency key is a text of {NAME} printable characters at most, and not empty.")
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise NotAPatch("The tags are not a list of texts.")
    if len(value) > MOST_TAGS:
        raise NotAPatch(f"These are {len(value)} tags; {MOST_TAGS} at most go with one patch.")
    for name in value:
        if not name.strip() or len(name) > TAG or not name.isprintable():
            shown = name[:TAG].encode("utf-8", "replace").decode()
            raise NotAPatch(f"“{shown}” is no tag: use {TAG} characters at most, on one line.")
    return tuple(dict.fromkeys(value))


def _value(key: str, text: str) -> Any:
    if text in ("NaN", "Infinity", "-Infinity"):
        raise NotAPatch(f"“{_shown(key)}”: {text} is not a JSON number. Put it in double quotes if you mean the text.")
    try:
        return canonical_json.parse(text)
    except canonical_json.NotCanonical:
        return text


def _shown(text: str) -> str:
    return text[:80].encode("utf-8", "replace").decode()
