"""Who set each value of a trace: the application in flight, the review desk, or someone else; unknown without spans."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reviewapp.delivery.confirmation import is_same_value
from reviewapp.delivery.drift import find_drifted_keys
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json
from reviewapp.lib.shortening import shorten
from reviewapp.traces.metadata import history, pairs, span_values
from reviewapp.traces.metadata.span_values import Author, SpanValues
from reviewapp.traces.models import MetadataChange, Trace
from reviewapp.traces.reader.metadata_entries import MetadataEntry

REMOVED = "removed in Laminar"
# Characters of a value inside a sentence.
MAX_VALUE_LENGTH = 80
# Patches of a trace that are searched, newest first.
MAX_PATCHES = 200


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One change of a value, as one would type it in a filter; None if the key did not exist."""

    changed_at: datetime
    author: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class KeySpanValue:
    """A value that spans set: the first of them, how many others, and whether the trace has this value."""

    value: str
    span_name: str
    other_count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class KeyProvenance(MetadataEntry):
    """A metadata entry with who set it, the patch if it was ours, and its changes, newest first.

    `span_values` are the values of its spans if these set the key differently.
    """

    set_by: str
    patch: Patch | None
    is_removed: bool = False
    changes: Sequence[KeyChange] = ()
    span_values: Sequence[KeySpanValue] = ()


def get_metadata_provenance(trace: Trace) -> list[KeyProvenance]:
    """Each key of a trace's metadata, sorted, with who set it as outbox and spans tell; then the removed keys."""
    pushed = _find_pushed_values(trace)
    unconfirmed = canonical_json.raw_members(trace.unconfirmed)
    members = canonical_json.raw_members(trace.metadata)
    changes, from_spans = _load_changes(trace), span_values.load(trace)
    entries = []
    for key, raw in sorted(members.items()):
        patch, our_raw = pushed.get(key, (None, ""))
        if key in unconfirmed:
            set_by = "the review desk, not confirmed yet"
        elif patch is None:
            set_by = _describe_outsider(trace, from_spans, key, raw)
        else:
            set_by = _describe_pushed(from_spans, patch, key, raw, our_raw)
        value, key_changes = pairs.display_value(raw), changes.get(key, ())
        conflicts = _find_conflicts(from_spans, key, raw)
        entries.append(
            KeyProvenance(key, value, key in unconfirmed, set_by, patch, changes=key_changes, span_values=conflicts)
        )
    for key, (patch, our_raw) in sorted(pushed.items()):
        if key not in members and any(
            drifted.key == key and drifted.laminar_value is None for drifted in find_drifted_keys(patch)
        ):
            set_by, key_changes = _describe_drift(None, our_raw), changes.get(key, ())
            entries.append(KeyProvenance(key, REMOVED, False, set_by, patch, is_removed=True, changes=key_changes))
    return entries


def _load_changes(trace: Trace) -> dict[str, list[KeyChange]]:
    """Each key's changes, newest first; a change of ours has its patch's source."""
    changes_by_key = history.changes_by_key(trace)
    patch_ids = {
        change.patch_id for changes in changes_by_key.values() for change in changes if change.patch_id is not None
    }
    sources = dict(Patch.objects.filter(project=trace.project, pk__in=patch_ids).values_list("pk", "source"))
    return {
        key: [_build_change(change, sources.get(change.patch_id or 0, "")) for change in changes]
        for key, changes in changes_by_key.items()
    }


def _build_change(change: MetadataChange, source: str) -> KeyChange:
    author = change.get_by_display()
    if change.by == MetadataChange.Author.REVIEW_APP:
        author = f"{author}, {source}" if source else author if change.patch_id else f"{author}, undone"
    before, after = (None if raw is None else _shorten(raw) for raw in (change.before, change.after))
    return KeyChange(change.at, author, before, after)


def _find_pushed_values(trace: Trace) -> dict[str, tuple[Patch, str]]:
    """For each key that we pushed, the newest patch with it and the value's JSON text."""
    pushed: dict[str, tuple[Patch, str]] = {}
    patches = Patch.objects.filter(project=trace.project, trace_id=trace.trace_id).order_by("-pk")
    for patch in patches.exclude(state=State.SUPERSEDED)[:MAX_PATCHES]:
        for key, raw in patch.raw_values.items():
            pushed.setdefault(key, (patch, raw))
    return pushed


def _describe_outsider(trace: Trace, from_spans: SpanValues, key: str, raw: str) -> str:
    """Who set a value that is not ours."""
    author = from_spans.find_author(key, raw)
    if author == Author.APPLICATION:
        return author.label
    values = from_spans.by_key.get(key)
    if author == Author.UNKNOWN:
        if from_spans.is_complete and values:
            return "unknown: its spans set too many values"
        return f"unknown: {'not all of its spans are' if trace.has_spans else 'its spans are not'} here"
    if not values:
        return "someone else: no span carries it"
    return f"someone else, who replaced {_shorten(values[-1].raw)} of the application"


def _describe_pushed(from_spans: SpanValues, patch: Patch, key: str, raw: str, our_raw: str) -> str:
    """Who set a value of a key that we pushed."""
    if patch.state != State.CONFIRMED:
        return f"the review desk, {patch.state}"
    if is_same_value(raw, canonical_json.loads(our_raw)):
        return "the review desk, confirmed"
    if from_spans.find_author(key, raw) == Author.APPLICATION:
        return f"the application, after our push: {_shorten(raw)} in Laminar, we pushed {_shorten(our_raw)}"
    return _describe_drift(raw, our_raw)


def _find_conflicts(from_spans: SpanValues, key: str, raw: str) -> list[KeySpanValue]:
    """The values of a key if spans set it differently, else none."""
    values = from_spans.by_key.get(key, [])
    if len(values) < 2:
        return []
    return [
        KeySpanValue(
            _shorten(value.raw), value.span_name, value.span_count - 1, span_values.is_same_value(value.raw, raw)
        )
        for value in values
    ]


def _describe_drift(raw: str | None, our_raw: str) -> str:
    laminar_value = "key removed" if raw is None else f"{_shorten(raw)} in Laminar"
    return f"someone else, after our push: {laminar_value}, we pushed {_shorten(our_raw)}"


def _shorten(raw: str) -> str:
    value = pairs.display_value(raw)
    return shorten(value, MAX_VALUE_LENGTH + 1)
