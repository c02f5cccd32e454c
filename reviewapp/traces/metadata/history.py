"""What a trace's values were before: every change since the mirror saw it first, with when and by whom."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.traces.models import CHANGE_WINDOW, READS, MetadataChange, Trace

# A value that somebody else changed this recently may change again.
RECENT_WINDOW = timedelta(hours=1)
# Changes of one trace that a page looks through, the newest first.
SHOWN = 500
# A trace that ended so long ago was read after it had settled, as readings are planned: what is new now came later.
READ_SINCE = READS[2]
_ADD = "INSERT INTO reviewapp_change (project_id, trace_id, key, before, after, at, by, patch)"
# A push that was taken back is two rows, the second without a number: it leaves nothing of ours.
_OURS = """
    SELECT trace_id, key FROM reviewapp_change WHERE by = 'us' AND trace_id IN []
    GROUP BY trace_id, key HAVING SUM(CASE WHEN patch IS NULL THEN -1 ELSE 1 END) > 0
"""


class Differing(NamedTuple):
    """A key of a trace (its primary key here) with both values as JSON texts; None for no such key."""

    trace: int
    key: str
    before: str | None
    after: str | None


def differing(trace: int, before: dict[str, str], after: dict[str, str]) -> list[Differing]:
    """The keys whose values are not the same in both."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [Differing(trace, key, before.get(key), after.get(key)) for key in keys]


def rows(project: Project, found: Iterable[Differing], by: str, patch: int | None = None) -> list[list[object]]:
    """Rows for `insert`."""
    now = clock.now()
    return [[project.pk, one.trace, one.key[:300], _cut(one.before), _cut(one.after), now, by, patch] for one in found]


def insert(changes: Sequence[Sequence[object]]) -> None:
    sql.insert(_ADD, changes)


def add(project: Project, found: Iterable[Differing], by: str, patch: int | None = None) -> None:
    """Keep these changes; call it in the transaction that makes them in the mirror."""
    insert(rows(project, found, by, patch))


def add_read(project: Project, traces: Sequence[tuple[Trace, str, datetime]]) -> None:
    """Keep what a reading changed in these traces, each with its metadata text before, and when that was stored.

    Whoever changed a value of ours, or any value of a trace that we had pushed to and that no longer runs, came after
    us; who changed another trace after it had settled is somebody else; all other changes came in flight.
    """
    found = {trace: _read(trace, before) for trace, before, _ in traces if before != trace.metadata}
    if not found:
        return
    ours: dict[int, set[str]] = {}
    for pk, key in sql.fetch_rows_in(_OURS, [trace.pk for trace in found]):
        ours.setdefault(pk, set()).add(key)
    stored = {trace: at for trace, _, at in traces}
    changes = []
    for trace, differences in found.items():
        mine = ours.get(trace.pk, set())
        # Laminar may spell a number of ours in another way; nobody has changed it.
        real = [one for one in differences if one.key not in mine or not _is_same(one.before, one.after)]
        late = MetadataChange.Author.OTHER if _had_settled(trace, stored[trace]) else MetadataChange.Author.APPLICATION
        others = late if trace.may_change or not mine else MetadataChange.Author.OTHER_AFTER_PUSH
        for one in real:
            changes += rows(project, [one], MetadataChange.Author.OTHER_AFTER_PUSH if one.key in mine else others)
    insert(changes)


def changes_by_key(trace: Trace) -> dict[str, list[MetadataChange]]:
    """Each key's changes, the newest first."""
    found: dict[str, list[MetadataChange]] = {}
    for change in MetadataChange.objects.filter(trace=trace).order_by("-pk")[:SHOWN]:
        found.setdefault(change.key, []).append(change)
    return found


def recently_changed(traces: Iterable[Trace], keys: Iterable[str]) -> set[int]:
    """Of these traces, by primary key, those that somebody but us lately gave another value under one of the keys."""
    keys, pks = [key[:300] for key in keys], [trace.pk for trace in traces]
    if not keys or not pks:
        return set()
    lately = MetadataChange.objects.filter(trace__in=pks, key__in=keys, at__gte=clock.now() - RECENT_WINDOW)
    return set(lately.exclude(by=MetadataChange.Author.REVIEW_APP).values_list("trace_id", flat=True))


def _had_settled(trace: Trace, stored_at: datetime) -> bool:
    """Whether what was stored then was read after the trace had settled."""
    end = trace.end_time
    return end is not None and (stored_at - end > CHANGE_WINDOW or clock.now() - end > READ_SINCE)


def _read(trace: Trace, before: str) -> list[Differing]:
    return differing(trace.pk, canonical_json.raw_members(before), canonical_json.raw_members(trace.metadata))


def _is_same(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    try:
        return canonical_json.dumps(canonical_json.loads(one)) == canonical_json.dumps(canonical_json.loads(other))
    except canonical_json.InvalidJSONError:
        return False


def _cut(raw: str | None) -> str | None:
    return (
        None
        if raw is None
        else raw
        if len(raw) <= MetadataChange.MAX_VALUE_LENGTH
        else f"{raw[: MetadataChange.MAX_VALUE_LENGTH - 1]}…"
    )
