"""Who set each value of a trace's metadata: we, and whether it arrived, or the traced application in flight."""

from dataclasses import dataclass

from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json
from reviewapp.traces import metadata
from reviewapp.traces.entries import Entry
from reviewapp.traces.models import Trace

# Patches looked through for a trace, the newest first.
PATCHES = 200


@dataclass(frozen=True, slots=True)
class Setting(Entry):
    """A metadata entry, in words who set it, and the patch that did, if one of ours."""

    words: str
    patch: Patch | None


def settings_of(trace: Trace) -> list[Setting]:
    """Each key of a trace's metadata, by name, with who set it as far as the outbox knows."""
    pushed = _pushed(trace)
    ours = canonical_json.raw_members(trace.unconfirmed)
    members = canonical_json.raw_members(trace.metadata)
    found = []
    for key, raw in sorted(members.items()):
        patch, ours_raw = pushed.get(key, (None, ""))
        words = _words(patch, is_waiting=key in ours, is_same=raw == ours_raw)
        found.append(Setting(key, metadata.shown(raw), key in ours, words, patch))
    return found


def _pushed(trace: Trace) -> dict[str, tuple[Patch, str]]:
    """For each key that we pushed, the newest patch with it and the value's text."""
    found: dict[str, tuple[Patch, str]] = {}
    patches = Patch.objects.filter(project=trace.project, trace_id=trace.trace_id).order_by("-pk")
    for patch in patches.exclude(state=State.SUPERSEDED)[:PATCHES]:
        for key, raw in canonical_json.raw_members(patch.metadata).items():
            found.setdefault(key, (patch, raw))
    return found


def _words(patch: Patch | None, *, is_waiting: bool, is_same: bool) -> str:
    if is_waiting:
        return "us, not confirmed yet"
    if patch is None:
        return "the application, in flight"
    if patch.state != State.CONFIRMED:
        return f"us, {patch.state}"
    return "us, confirmed" if is_same else "others, after us: Laminar no longer has what we pushed"
