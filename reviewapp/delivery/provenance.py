"""Who set each value of a trace: the application in flight, the review desk, or someone else after our push."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reviewapp.delivery.confirmation import is_same_value
from reviewapp.delivery.drift import find_drifted_keys
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json
from reviewapp.traces.metadata import history, pairs
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
class KeyProvenance(MetadataEntry):
    """A metadata entry with who set it, the patch if it was ours, and its changes, newest first."""

    set_by: str
    patch: Patch | None
    is_removed: bool = False
    changes: Sequence[KeyChange] = ()


def get_metadata_provenance(trace: Trace) -> list[KeyProvenance]:
    """Each key of a trace's metadata, sorted, with who set it as far as the outbox knows; then the removed keys."""
    pushed = _find_pushed_values(trace)
    unconfirmed = canonical_json.raw_members(trace.unconfirmed)
    members = canonical_json.raw_members(trace.metadata)
    changes = _load_changes(trace)
    entries = []
    for key, raw in sorted(members.items()):
        patch, our_raw = pushed.get(key, (None, ""))
        set_by = "the review desk, not confirmed yet" if key in unconfirmed else _describe_setter(patch, raw, our_raw)
        value, key_changes = pairs.display_value(raw), changes.get(key, ())
        entries.append(KeyProvenance(key, value, key in unconfirmed, set_by, patch, changes=key_changes))
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


def _describe_setter(patch: Patch | None, raw: str, our_raw: str) -> str:
    if patch is None:
        return "the application, in flight"
    if patch.state != State.CONFIRMED:
        return f"the review desk, {patch.state}"
    return (
        "the review desk, confirmed"
        if is_same_value(raw, canonical_json.loads(our_raw))
        else _describe_drift(raw, our_raw)
    )


def _describe_drift(raw: str | None, our_raw: str) -> str:
    laminar_value = "key removed" if raw is None else f"{_shorten(raw)} in Laminar"
    return f"someone else, after our push: {laminar_value}, we pushed {_shorten(our_raw)}"


def _shorten(raw: str) -> str:
    value = pairs.display_value(raw)
    return value if len(value) <= MAX_VALUE_LENGTH else f"{value[:MAX_VALUE_LENGTH]}…"
