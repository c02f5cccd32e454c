"""Who set each value of a trace's metadata: we, and whether it arrived, or the traced application in flight."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reviewapp.delivery.confirmation import stands
from reviewapp.delivery.drift import find_drifted_keys
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json
from reviewapp.traces.metadata import history, pairs
from reviewapp.traces.models import MetadataChange, Trace
from reviewapp.traces.reader.metadata_entries import MetadataEntry

GONE = "no longer there"
# Our value beside theirs is cut to this.
SHOWN = 80
# Patches looked through for a trace, the newest first.
PATCHES = 200


@dataclass(frozen=True, slots=True)
class Past:
    """One change of a value, as one would write it in a filter; None where there was no such key."""

    at: datetime
    words: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class KeyProvenance(MetadataEntry):
    """A metadata entry, in words who set it, and the patch that did, if one of ours; its changes, the newest first."""

    set_by: str
    patch: Patch | None
    is_gone: bool = False
    past: Sequence[Past] = ()


def get_metadata_provenance(trace: Trace) -> list[KeyProvenance]:
    """Each key of a trace's metadata, by name, with who set it as far as the outbox knows."""
    pushed = _pushed(trace)
    ours = canonical_json.raw_members(trace.unconfirmed)
    members = canonical_json.raw_members(trace.metadata)
    past = _past(trace)
    found = []
    for key, raw in sorted(members.items()):
        patch, ours_raw = pushed.get(key, (None, ""))
        words = "us, not confirmed yet" if key in ours else _words(patch, raw, ours_raw)
        found.append(KeyProvenance(key, pairs.display_value(raw), key in ours, words, patch, past=past.get(key, ())))
    for key, (patch, ours_raw) in sorted(pushed.items()):
        if key not in members and any(one.key == key and one.laminar_value is None for one in find_drifted_keys(patch)):
            words = _others(None, ours_raw)
            found.append(KeyProvenance(key, GONE, False, words, patch, is_gone=True, past=past.get(key, ())))
    return found


def _past(trace: Trace) -> dict[str, list[Past]]:
    """Each key's changes, the newest first, a push of ours with where it came from."""
    changes = history.changes_by_key(trace)
    numbers = {change.patch_id for found in changes.values() for change in found if change.patch_id is not None}
    sources = dict(Patch.objects.filter(project=trace.project, pk__in=numbers).values_list("pk", "source"))
    return {
        key: [_told(change, sources.get(change.patch_id or 0, "")) for change in found]
        for key, found in changes.items()
    }


def _told(change: MetadataChange, source: str) -> Past:
    words = change.get_by_display()
    if change.by == MetadataChange.Author.REVIEW_APP:
        words = f"us, {source}" if source else "us" if change.patch_id else "us, taken back"
    before, after = (None if raw is None else _short(raw) for raw in (change.before, change.after))
    return Past(change.at, words, before, after)


def _pushed(trace: Trace) -> dict[str, tuple[Patch, str]]:
    """For each key that we pushed, the newest patch with it and the value's text."""
    found: dict[str, tuple[Patch, str]] = {}
    patches = Patch.objects.filter(project=trace.project, trace_id=trace.trace_id).order_by("-pk")
    for patch in patches.exclude(state=State.SUPERSEDED)[:PATCHES]:
        for key, raw in canonical_json.raw_members(patch.metadata).items():
            found.setdefault(key, (patch, raw))
    return found


def _words(patch: Patch | None, raw: str, ours_raw: str) -> str:
    if patch is None:
        return "the application, in flight"
    if patch.state != State.CONFIRMED:
        return f"us, {patch.state}"
    return "us, confirmed" if stands(raw, canonical_json.loads(ours_raw)) else _others(raw, ours_raw)


def _others(raw: str | None, ours_raw: str) -> str:
    theirs = "the key is gone" if raw is None else f"{_short(raw)} there"
    return f"others, after us: {theirs}, {_short(ours_raw)} from us"


def _short(raw: str) -> str:
    value = pairs.display_value(raw)
    return value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
