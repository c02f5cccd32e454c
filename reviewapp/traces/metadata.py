"""A trace's metadata: one JSON text as Laminar keeps it, patched by its rule, and asked in exact pairs."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reviewapp.lib import canonical_json
from reviewapp.traces import index
from reviewapp.traces.models import Trace

MAX_PAIRS = 12
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]')


class Pair(NamedTuple):
    """One exact condition of a filter view."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class NotAPair(ValueError):
    """A condition cannot be read; the message is a sentence for a person."""


def parse_pairs(texts: Sequence[str]) -> list[Pair]:
    """`key=value` texts as pairs; only the first `=` divides, so that values may hold more. Raises NotAPair."""
    pairs: list[Pair] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise NotAPair(f"“{text[:80]}” is not a condition: write it as key=value.")
        if "\x00" in text:
            raise NotAPair("A condition holds a NUL character. Remove it.")
        if Pair(key, value) not in pairs:
            pairs.append(Pair(key, value))
    if len(pairs) > MAX_PAIRS:
        raise NotAPair(f"A view takes {MAX_PAIRS} conditions at most. Remove some.")
    return pairs


def members(text: str) -> dict[str, str]:
    """The members of a metadata text from elsewhere, as key -> JSON text; none where it cannot be read and kept.

    Laminar's own are always JSON objects.
    """
    try:
        found = {} if _depth(text) > canonical_json.MAX_DEPTH else canonical_json.raw_members(text)
    except (ValueError, RecursionError):
        return {}
    return {_kept(key): raw for key, raw in found.items()}


def merged(metadata: str, patch: Mapping[str, Any]) -> str:
    """A metadata text with a patch's keys on top, as Laminar merges: top-level keys, null kept, no key deleted."""
    members = canonical_json.raw_members(metadata)
    members.update({key: canonical_json.dumps(value) for key, value in patch.items()})
    return joined(members)


def without(metadata: str, patch: Mapping[str, Any]) -> str:
    """A metadata text without the members that equal the patch's."""
    members = canonical_json.raw_members(metadata)
    return joined(
        {key: raw for key, raw in members.items() if key not in patch or raw != canonical_json.dumps(patch[key])}
    )


def joined(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{raw}" for key, raw in members.items()) + "}"


def apply_patch(trace: Trace, patch: Mapping[str, Any], **changes: Any) -> None:
    """Put our values into the mirror at once, index included, and `changes` of other fields with them.

    `trace` is locked by the caller's transaction.
    """
    Trace.objects.filter(pk=trace.pk).update(
        metadata=merged(trace.metadata, patch), unconfirmed=merged(trace.unconfirmed, patch), **changes
    )
    before = canonical_json.raw_members(trace.metadata)
    ours = canonical_json.raw_members(merged("{}", patch))
    changed = {key: raw for key, raw in ours.items() if before.get(key) != raw}
    if replaced := {key: before[key] for key in changed if key in before}:
        index.remove(trace, replaced)
    index.add(trace.project_id, [(trace, changed)])


def shown(raw: str) -> str:
    """A stored JSON text as the value one would write in a filter: a string without its quotes."""
    if raw.startswith('"'):
        try:
            return _kept(str(json.loads(raw)))
        except ValueError:
            return raw
    return raw


def _depth(text: str) -> int:
    """How deep a JSON text is nested, without the recursion that reading it would cost."""
    deepest = depth = 0
    if text.count("{") + text.count("[") > canonical_json.MAX_DEPTH:
        for mark in _MARKS.findall(text):
            depth += 1 if mark in ("{", "[") else -1 if mark in ("}", "]") else 0
            deepest = max(deepest, depth)
    return deepest


def _kept(text: str) -> str:
    # No database keeps a NUL, and neither it nor a page half of a character.
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
