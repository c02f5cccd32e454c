"""The history of metadata values: every change after a trace's first pull, with its time and author."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db.models import Case, Sum, Value, When

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock, sql
from reviewapp.lib.batches import batched
from reviewapp.traces import queries
from reviewapp.traces.metadata import span_values
from reviewapp.traces.models import MetadataChange, Trace

Author = MetadataChange.Author

# A value that somebody else changed this recently may change again.
RECENT_WINDOW = timedelta(hours=1)
# Most changes of one trace that a page reads, newest first.
MAX_CHANGES = 500
# Most changes of many traces that are read, newest first.
MAX_REGISTRY_CHANGES = 5_000


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


def record_pulled_changes(project: Project, traces: Sequence[tuple[Trace, str]]) -> None:
    """Store what a pull changed in these traces, each with its metadata text before.

    The author of a change is APPLICATION if a span carries the value, else OTHER_AFTER_PUSH if the value before was
    ours, else UNKNOWN: until the spans are pulled, which is scheduled if some were pulled before.
    """
    changes_by_trace = {trace: _compare_metadata(trace, before) for trace, before in traces if before != trace.metadata}
    if not changes_by_trace:
        return
    keys_by_trace: dict[int, set[str]] = {}
    for pk, key in _get_patched_keys([trace.pk for trace in changes_by_trace]):
        keys_by_trace.setdefault(pk, set()).add(key)
    values_by_trace = span_values.load_all(trace.pk for trace in changes_by_trace if trace.has_spans)
    rows, unexplained = [], set()
    for trace, changes in changes_by_trace.items():
        patched_keys = keys_by_trace.get(trace.pk, set())
        values = values_by_trace.get(trace.pk, span_values.NOTHING_KNOWN)
        for change in changes:
            is_ours = change.key in patched_keys
            # Laminar may spell a number of ours in another way: that is not a change.
            if is_ours and change.before and change.after and span_values.is_same_value(change.before, change.after):
                continue
            is_application = values.find_author(change.key, change.after) == Author.APPLICATION
            author = Author.OTHER_AFTER_PUSH if is_ours else Author.UNKNOWN
            rows += build_rows(project, [change], Author.APPLICATION if is_application else author)
            if not is_application and trace.has_spans:
                unexplained.add(trace.pk)
    if unexplained:
        Trace.objects.filter(pk__in=unexplained, pull_due_at=None).update(pull_due_at=clock.now())
    insert_rows(rows)


def changes_by_key(trace: Trace) -> dict[str, list[MetadataChange]]:
    """The changes of each key, newest first."""
    changes: dict[str, list[MetadataChange]] = {}
    for change in MetadataChange.objects.filter(trace=trace).order_by("-pk")[:MAX_CHANGES]:
        changes.setdefault(change.key, []).append(change)
    return changes


def get_pushed_keys(traces: Iterable[int]) -> dict[tuple[int, str], str]:
    """By trace and key, the author of its last change, if this is our patch or somebody's change of our value."""
    newest = MetadataChange.objects.filter(trace__in=list(traces)).order_by("-pk")[:MAX_REGISTRY_CHANGES]
    rows = list(newest.values_list("trace_id", "key", "by", "patch_id"))
    last = {(trace, key): (author, patch) for trace, key, author, patch in reversed(rows)}
    return {
        key: author
        for key, (author, patch) in last.items()
        if author == Author.OTHER_AFTER_PUSH or (author == Author.REVIEW_APP and patch is not None)
    }


def recently_changed(traces: Iterable[Trace], keys: Iterable[str]) -> set[int]:
    """Primary keys of those traces in which somebody else changed one of the keys within RECENT_WINDOW."""
    keys, pks = [key[:300] for key in keys], [trace.pk for trace in traces]
    if not keys or not pks:
        return set()
    recent = MetadataChange.objects.filter(trace__in=pks, key__in=keys, at__gte=clock.now() - RECENT_WINDOW)
    return set(recent.exclude(by=MetadataChange.Author.REVIEW_APP).values_list("trace_id", flat=True))


def _compare_metadata(trace: Trace, before: str) -> list[ValueChange]:
    return compare_members(trace.pk, canonical_json.raw_members(before), canonical_json.raw_members(trace.metadata))


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
