"""Merge patches into a trace's metadata, which is one JSON text, by Laminar's rule: key by key."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces import queries
from reviewapp.traces.metadata import history, index
from reviewapp.traces.models import MetadataChange, Trace

# String literals and brackets: a bracket inside a string does not nest. The closing quote may be missing: looking for
# it again from each quote would take the square of the text's length.
TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{}]')


class UnreadableMetadataError(ValueError):
    """A metadata text cannot be read; the message says why, without a full stop."""


def parse_members(text: str) -> dict[str, str]:
    """The members of an untrusted metadata text as key -> JSON text; empty if `read_members` cannot read it."""
    try:
        return read_members(text)
    except UnreadableMetadataError:
        return {}


def read_members(text: str) -> dict[str, str]:
    """The members of an untrusted metadata text as key -> JSON text. Raises UnreadableMetadataError.

    Laminar's own texts are always JSON objects.
    """
    if _nesting_depth(text) > canonical_json.MAX_DEPTH:
        raise UnreadableMetadataError(f"it is nested deeper than {canonical_json.MAX_DEPTH} levels")
    try:
        members = canonical_json.raw_members(text)
    except (ValueError, RecursionError):
        raise UnreadableMetadataError("it is not a JSON object") from None
    return {to_storable_text(key): raw for key, raw in members.items()}


def find_problem(text: str) -> str:
    """Why a metadata text cannot be read, without a full stop; empty if it can."""
    try:
        read_members(text)
    except UnreadableMetadataError as error:
        return str(error)
    return ""


def remove_patch(metadata: str, patch: Mapping[str, Any]) -> str:
    """The metadata text without those members that equal the patch's."""
    members = canonical_json.raw_members(metadata)
    return dump_members(
        {key: raw for key, raw in members.items() if key not in patch or raw != canonical_json.dumps(patch[key])}
    )


def dump_members(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{raw}" for key, raw in members.items()) + "}"


class LockedTrace(NamedTuple):
    """What a patch reads of a trace in the mirror; the row is locked until the end of the transaction."""

    pk: int
    start_time: Any
    metadata: str
    unconfirmed: str
    review_count: int


def create_missing_traces(project: Project, trace_ids: Iterable[UUID]) -> None:
    """Create the missing rows of these traces in the mirror. Call it before locking several traces.

    A new row is locked by its insert: inserting rows one by one between locks on other rows could deadlock.
    """
    traces = [Trace(project=project, trace_id=trace_id) for trace_id in sorted(set(trace_ids))]
    Trace.objects.bulk_create(traces, ignore_conflicts=True, batch_size=500)


def lock_trace(project: Project, trace_id: UUID) -> LockedTrace:
    """Lock the row of a trace in the mirror, created if missing. Call it in a transaction."""
    rows = sql.fetch_rows(queries.LOCK_TRACE, project.pk, trace_id)
    if not rows:
        Trace.objects.bulk_create([Trace(project=project, trace_id=trace_id)], ignore_conflicts=True)
        rows = sql.fetch_rows(queries.LOCK_TRACE, project.pk, trace_id)
    return LockedTrace(*rows[0])


def apply_patch(
    project: Project,
    trace: LockedTrace,
    patch: Mapping[str, Any],
    *,
    patch_id: int | None = None,
    review_count: int = 0,
) -> dict[str, str | None]:
    """Merge our values into the mirror and its index, and add `review_count` reviews to the trace.

    `patch_id` is the primary key of the patch in the outbox. Returns the previous value of each of the patch's keys: a
    JSON text, None where the key did not exist.
    """
    before, members = _store_values(trace, patch, review_count)
    index.set_members(project.pk, [(trace, members)])
    changes = history.compare_members(trace.pk, before, members)
    history.record_changes(project, changes, MetadataChange.Author.REVIEW_APP, patch_id)
    return {key: before.get(key) for key in patch}


def apply_patches(
    project: Project, patches: Iterable[tuple[UUID, Mapping[str, Any], int]], *, review_count: int = 0
) -> list[dict[str, str | None]]:
    """Do `apply_patch` for many patches in order, each with its primary key. Returns the result of each.

    The index is written once, at the end: all terms are locked in a fixed order, so concurrent saves cannot deadlock.
    """
    by_pk: dict[int, tuple[LockedTrace, dict[str, str]]] = {}
    rows = []
    previous_values: list[dict[str, str | None]] = []
    for trace_id, patch, patch_id in patches:
        trace = lock_trace(project, trace_id)
        before, members = _store_values(trace, patch, review_count)
        by_pk[trace.pk] = trace, members
        changes = history.compare_members(trace.pk, before, members)
        rows += history.build_rows(project, changes, MetadataChange.Author.REVIEW_APP, patch_id)
        previous_values.append({key: before.get(key) for key in patch})
    index.set_members(project.pk, by_pk.values())
    history.insert_rows(rows)
    return previous_values


def revert_patch(
    project: Project,
    trace: LockedTrace,
    before: Mapping[str, str | None],
    older_values: Mapping[str, Any],
    *,
    review_count: int = 1,
) -> None:
    """Undo an `apply_patch` that was never pushed: `before` is its result, `review_count` what it added.

    `older_values` are those of older patches of ours that Laminar has not confirmed.
    """
    revert_patches(project, [(trace, before, older_values)], review_count=review_count)


def revert_patches(
    project: Project,
    reverts: Iterable[tuple[LockedTrace, Mapping[str, str | None], Mapping[str, Any]]],
    *,
    review_count: int = 1,
) -> None:
    """Do `revert_patch` for many traces, each with its `before` and `older_values`.

    The index is written once, at the end, as in `apply_patches`.
    """
    rows = []
    changes = []
    for trace, before, older_values in reverts:
        current = canonical_json.raw_members(trace.metadata)
        restored = {key: raw for key, raw in before.items() if raw is not None}
        members = {key: raw for key, raw in current.items() if key not in before} | restored
        unconfirmed = canonical_json.raw_members(trace.unconfirmed)
        unconfirmed = {key: raw for key, raw in unconfirmed.items() if key not in before}
        unconfirmed |= {key: canonical_json.dumps(value) for key, value in older_values.items()}
        _update(trace, dump_members(members), dump_members(unconfirmed), -review_count)
        rows.append((trace, members))
        changes += history.compare_members(trace.pk, current, members)
    index.set_members(project.pk, rows)
    history.record_changes(project, changes, MetadataChange.Author.REVIEW_APP)


def apply_laminar_values(project: Project, trace: LockedTrace, values: Mapping[str, str | None]) -> None:
    """Store Laminar's values of these keys in the mirror and its index: JSON texts, None where there is no such key.

    Keys with an unconfirmed value of ours are left unchanged.
    """
    unconfirmed = canonical_json.raw_members(trace.unconfirmed)
    before = canonical_json.raw_members(trace.metadata)
    changed = {key: raw for key, raw in values.items() if key not in unconfirmed and before.get(key) != raw}
    if not changed:
        return
    added = {key: raw for key, raw in changed.items() if raw is not None}
    members = {key: raw for key, raw in before.items() if key not in changed} | added
    _update(trace, dump_members(members), trace.unconfirmed)
    # Responses to queries sent before now are older than these values.
    Trace.objects.filter(pk=trace.pk).update(asked_at=clock.now())
    index.set_members(project.pk, [(trace, members)])
    changes = history.compare_members(trace.pk, before, members)
    history.record_changes(project, changes, MetadataChange.Author.OTHER_AFTER_PUSH)


def discard_unconfirmed(trace: LockedTrace, patch: Mapping[str, Any]) -> None:
    """Drop a patch that will never be pushed from the unconfirmed values; the next pull restores Laminar's values."""
    _update(trace, trace.metadata, remove_patch(trace.unconfirmed, patch))


def _store_values(
    trace: LockedTrace, patch: Mapping[str, Any], review_count: int = 0
) -> tuple[dict[str, str], dict[str, str]]:
    """Merge our values into the row. Returns its members before and after."""
    before = canonical_json.raw_members(trace.metadata)
    values = {key: canonical_json.dumps(value) for key, value in patch.items()}
    members, unconfirmed = before | values, canonical_json.raw_members(trace.unconfirmed) | values
    _update(trace, dump_members(members), dump_members(unconfirmed), review_count)
    return before, members


def _update(trace: LockedTrace, metadata: str, unconfirmed: str, review_count: int = 0) -> None:
    """Write both texts and add `review_count` to the trace's count."""
    sql.execute(queries.UPDATE_METADATA, metadata, unconfirmed, review_count, clock.now(), trace.pk)


def _nesting_depth(text: str) -> int:
    """The nesting depth of a JSON text, without recursion; 0 if it has too few brackets to exceed the limit."""
    deepest = depth = 0
    if text.count("{") + text.count("[") > canonical_json.MAX_DEPTH:
        for token in TOKENS.findall(text):
            depth += 1 if token in ("{", "[") else -1 if token in ("}", "]") else 0
            deepest = max(deepest, depth)
    return deepest
