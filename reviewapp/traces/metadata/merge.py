"""A trace's metadata: one JSON text as Laminar keeps it, into which a patch is merged by Laminar's rule."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.metadata import history, index
from reviewapp.traces.models import MetadataChange, Trace

_LOCK = """
    SELECT id, start_time, metadata, unconfirmed, reviews FROM reviewapp_trace
    WHERE project_id = %s AND trace_id = %s FOR UPDATE
"""
_UPDATE = """
    UPDATE reviewapp_trace SET metadata = %s, unconfirmed = %s, reviews = reviews + %s, noted_at = %s WHERE id = %s
"""
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]')


def parse_members(text: str) -> dict[str, str]:
    """The members of a metadata text from elsewhere, as key -> JSON text; none where it cannot be read and kept.

    Laminar's own are always JSON objects.
    """
    try:
        found = {} if _nesting_depth(text) > canonical_json.MAX_DEPTH else canonical_json.raw_members(text)
    except (ValueError, RecursionError):
        return {}
    return {to_storable_text(key): raw for key, raw in found.items()}


def remove_patch(metadata: str, patch: Mapping[str, Any]) -> str:
    """A metadata text without the members that equal the patch's."""
    members = canonical_json.raw_members(metadata)
    return dump_members(
        {key: raw for key, raw in members.items() if key not in patch or raw != canonical_json.dumps(patch[key])}
    )


def dump_members(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{raw}" for key, raw in members.items()) + "}"


class LockedTrace(NamedTuple):
    """What a patch of ours reads of a trace in the mirror, its row locked to the end of the transaction."""

    pk: int
    start_time: Any
    metadata: str
    unconfirmed: str
    review_count: int


def create_missing_traces(project: Project, trace_ids: Iterable[UUID]) -> None:
    """Make the mirror's rows for those of these traces that have none; whoever will hold several calls it first.

    A row that is made is held: made one by one between others that are held already, they could wait in a ring.
    """
    places = [Trace(project=project, trace_id=trace_id) for trace_id in sorted(set(trace_ids))]
    Trace.objects.bulk_create(places, ignore_conflicts=True, batch_size=500)


def lock_trace(project: Project, trace_id: UUID) -> LockedTrace:
    """Lock the mirror's row for a trace; it is made when there is none. Call it in a transaction."""
    found = sql.fetch_rows(_LOCK, project.pk, trace_id)
    if not found:
        Trace.objects.bulk_create([Trace(project=project, trace_id=trace_id)], ignore_conflicts=True)
        found = sql.fetch_rows(_LOCK, project.pk, trace_id)
    return LockedTrace(*found[0])


def apply_patch(
    project: Project, held: LockedTrace, patch: Mapping[str, Any], *, patch_id: int | None = None, review_count: int = 0
) -> dict[str, str | None]:
    """Put our values into the mirror at once, index included, and count the `reviews` they come from.

    `number` is the patch's in the outbox. Returns what stood under each of the patch's keys before: a JSON text, None
    where there was no such key.
    """
    before, members = _store_values(held, patch, review_count)
    index.set_members(project.pk, [(held, members)])
    history.add(project, history.differing(held.pk, before, members), MetadataChange.Author.REVIEW_APP, patch_id)
    return {key: before.get(key) for key in patch}


def apply_patches(
    project: Project, patches: Iterable[tuple[UUID, Mapping[str, Any], int]]
) -> list[dict[str, str | None]]:
    """`apply_patch` for many in order, each with its number, and what each returns; the index comes last, at once.

    Its terms are then written in one order, as by everybody: a save that needs some of them waits, and never in a ring.
    """
    rows: dict[int, tuple[LockedTrace, dict[str, str]]] = {}
    changes = []
    stood: list[dict[str, str | None]] = []
    for trace_id, patch, number in patches:
        held = lock_trace(project, trace_id)
        before, members = _store_values(held, patch)
        rows[held.pk] = held, members
        changes += history.rows(
            project, history.differing(held.pk, before, members), MetadataChange.Author.REVIEW_APP, number
        )
        stood.append({key: before.get(key) for key in patch})
    index.set_members(project.pk, rows.values())
    history.insert(changes)
    return stood


def revert_patch(
    project: Project,
    held: LockedTrace,
    before: Mapping[str, str | None],
    still: Mapping[str, Any],
    *,
    review_count: int = 1,
) -> None:
    """Undo one `apply_patch` that was never pushed: `before` is what that returned, `reviews` how many it counted.

    `still` is what older patches of ours say and Laminar has not confirmed.
    """
    now, unconfirmed = canonical_json.raw_members(held.metadata), canonical_json.raw_members(held.unconfirmed)
    again = {key: raw for key, raw in before.items() if raw is not None}
    members = {key: raw for key, raw in now.items() if key not in before} | again
    waiting = {key: raw for key, raw in unconfirmed.items() if key not in before}
    waiting |= {key: canonical_json.dumps(value) for key, value in still.items()}
    sql.execute(_UPDATE, dump_members(members), dump_members(waiting), -review_count, clock.now(), held.pk)
    index.set_members(project.pk, [(held, members)])
    history.add(project, history.differing(held.pk, now, members), MetadataChange.Author.REVIEW_APP)


def apply_laminar_values(project: Project, held: LockedTrace, theirs: Mapping[str, str | None]) -> None:
    """Put what Laminar holds under these keys into the mirror, index included: a JSON text, None for no such key.

    Values of ours that are not confirmed yet stay on top.
    """
    ours, before = canonical_json.raw_members(held.unconfirmed), canonical_json.raw_members(held.metadata)
    changed = {key: raw for key, raw in theirs.items() if key not in ours and before.get(key) != raw}
    if not changed:
        return
    added = {key: raw for key, raw in changed.items() if raw is not None}
    members = {key: raw for key, raw in before.items() if key not in changed} | added
    sql.execute(_UPDATE, dump_members(members), held.unconfirmed, 0, clock.now(), held.pk)
    # An answer that Laminar gave before is older.
    Trace.objects.filter(pk=held.pk).update(asked_at=clock.now())
    index.set_members(project.pk, [(held, members)])
    history.add(project, history.differing(held.pk, before, members), MetadataChange.Author.OTHER_AFTER_PUSH)


def discard_unconfirmed(held: LockedTrace, patch: Mapping[str, Any]) -> None:
    """Stop calling a patch's values ours: it is never pushed, and the next pull brings what Laminar holds."""
    sql.execute(_UPDATE, held.metadata, remove_patch(held.unconfirmed, patch), 0, clock.now(), held.pk)


def _store_values(
    held: LockedTrace, patch: Mapping[str, Any], reviews: int = 0
) -> tuple[dict[str, str], dict[str, str]]:
    """Put our values into the row: its members before and after."""
    before = canonical_json.raw_members(held.metadata)
    ours = {key: canonical_json.dumps(value) for key, value in patch.items()}
    unconfirmed = canonical_json.raw_members(held.unconfirmed) | ours
    sql.execute(_UPDATE, dump_members(before | ours), dump_members(unconfirmed), reviews, clock.now(), held.pk)
    return before, before | ours


def _nesting_depth(text: str) -> int:
    """How deep a JSON text is nested, without the recursion that reading it would cost."""
    deepest = depth = 0
    if text.count("{") + text.count("[") > canonical_json.MAX_DEPTH:
        for mark in _BRACKETS.findall(text):
            depth += 1 if mark in ("{", "[") else -1 if mark in ("}", "]") else 0
            deepest = max(deepest, depth)
    return deepest
