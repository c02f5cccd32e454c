"""The history of metadata values: every change after a trace's first pull, with its time and author."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Case, Sum, Value, When

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.lib.batches import batched
from reviewapp.traces import queries
from reviewapp.traces.models import CHANGE_WINDOW, REREAD_DELAYS, MetadataChange, Trace

# A value that somebody else changed this recently may change again.
RECENT_WINDOW = timedelta(hours=1)
# Most changes of one trace that a page reads, newest first.
MAX_CHANGES = 500
# By this long after its end, a trace has been read at least once since it settled: a new change came after that.
SETTLED_DELAY = REREAD_DELAYS[2]


class ValueChange(NamedTuple):
    """A changed key of a trace (`trace` is its primary key): both values as JSON texts, None where there is no key."""

    trace: int
    key: str
    before: str | None
    after: str | None


def compare_members(trace: int, before: dict[str, str], after: dict[str, str]) -> list[ValueChange]:
    """The keys whose JSON texts differ between `before` and `after`."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [ValueChange(trace, key, before.get(key), after.get(key)) for key in keys]


def build_rows(
    project: Project, changes: Iterable[ValueChange], author: str, patch_id: int | None = None
) -> list[list[object]]:
    """Rows for `insert_rows`."""
    now = clock.now()
    return [
        [
            project.pk, change.trace, change.key[:300], _truncate(change.before), _truncate(change.after),
            now, author, patch_id,
        ]
        for change in changes
    ]  # fmt: skip


def insert_rows(rows: Sequence[Sequence[object]]) -> None:
    sql.insert(queries.INSERT_CHANGES, rows)


def record_changes(project: Project, changes: Iterable[ValueChange], author: str, patch_id: int | None = None) -> None:
    """Store these changes; call it in the transaction that changes the mirror."""
    insert_rows(build_rows(project, changes, author, patch_id))


def record_pulled_changes(project: Project, traces: Sequence[tuple[Trace, str, datetime]]) -> None:
    """Store what a pull changed in these traces, each with its metadata text before and when that text was stored.

    The author of a change is OTHER_AFTER_PUSH if the value was ours, or if the trace has ended and has any value of
    ours; else OTHER if the trace had settled; else APPLICATION.
    """
    changes_by_trace = {
        trace: _compare_metadata(trace, before) for trace, before, _ in traces if before != trace.metadata
    }
    if not changes_by_trace:
        return
    keys_by_trace: dict[int, set[str]] = {}
    for pk, key in _get_patched_keys([trace.pk for trace in changes_by_trace]):
        keys_by_trace.setdefault(pk, set()).add(key)
    stored_at = {trace: moment for trace, _, moment in traces}
    rows = []
    for trace, changes in changes_by_trace.items():
        patched_keys = keys_by_trace.get(trace.pk, set())
        # Laminar may spell a number of ours in another way: that is not a change.
        real = [
            change
            for change in changes
            if change.key not in patched_keys or not _is_same_value(change.before, change.after)
        ]
        is_late = _had_settled(trace, stored_at[trace])
        author = MetadataChange.Author.OTHER if is_late else MetadataChange.Author.APPLICATION
        if patched_keys and not trace.may_change:
            author = MetadataChange.Author.OTHER_AFTER_PUSH
        for change in real:
            is_patched = change.key in patched_keys
            rows += build_rows(project, [change], MetadataChange.Author.OTHER_AFTER_PUSH if is_patched else author)
    insert_rows(rows)


def changes_by_key(trace: Trace) -> dict[str, list[MetadataChange]]:
    """The changes of each key, newest first."""
    changes: dict[str, list[MetadataChange]] = {}
    for change in MetadataChange.objects.filter(trace=trace).order_by("-pk")[:MAX_CHANGES]:
        changes.setdefault(change.key, []).append(change)
    return changes


def recently_changed(traces: Iterable[Trace], keys: Iterable[str]) -> set[int]:
    """Primary keys of those traces in which somebody else changed one of the keys within RECENT_WINDOW."""
    keys, pks = [key[:300] for key in keys], [trace.pk for trace in traces]
    if not keys or not pks:
        return set()
    recent = MetadataChange.objects.filter(trace__in=pks, key__in=keys, at__gte=clock.now() - RECENT_WINDOW)
    return set(recent.exclude(by=MetadataChange.Author.REVIEW_APP).values_list("trace_id", flat=True))


def _had_settled(trace: Trace, stored_at: datetime) -> bool:
    """Whether the metadata stored at this time was read after the trace could still change."""
    end = trace.end_time
    return end is not None and (stored_at - end > CHANGE_WINDOW or clock.now() - end > SETTLED_DELAY)


def _compare_metadata(trace: Trace, before: str) -> list[ValueChange]:
    return compare_members(trace.pk, canonical_json.raw_members(before), canonical_json.raw_members(trace.metadata))


def _is_same_value(before: str | None, after: str | None) -> bool:
    if before is None or after is None:
        return False
    try:
        return canonical_json.dumps(canonical_json.loads(before)) == canonical_json.dumps(canonical_json.loads(after))
    except canonical_json.InvalidJSONError:
        return False


def _truncate(raw: str | None) -> str | None:
    if raw is None or len(raw) <= MetadataChange.MAX_VALUE_LENGTH:
        return raw
    return f"{raw[: MetadataChange.MAX_VALUE_LENGTH - 1]}…"


def _get_patched_keys(traces: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Trace and key of each value of ours. A reverted patch leaves two rows, the second without a patch number."""
    sign = Case(When(patch_id=None, then=Value(-1)), default=Value(1))
    from_patches = MetadataChange.objects.filter(by=MetadataChange.Author.REVIEW_APP).values("trace__pk", "key")
    for batch in batched(traces):
        patched = from_patches.filter(trace__in=batch).annotate(balance=Sum(sign)).filter(balance__gt=0)
        yield from patched.values_list("trace__pk", "key")
