"""Store traces that Laminar returned in the mirror and its index."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.laminar import ParsedRows, TraceRow, UnreadableRow
from reviewapp.lib import clock, sql
from reviewapp.lib.shortening import shorten
from reviewapp.traces import queries
from reviewapp.traces.filter_models import TraceTag
from reviewapp.traces.metadata import history, index, merge, tags
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import unreadable

log = logging.getLogger(__name__)

# Few, so that saves do not wait.
TRACES_PER_TRANSACTION = 200


def store_traces(project: Project, rows: Sequence[TraceRow], asked_at: datetime | None = None) -> list[Trace]:
    """Store traces from Laminar in the mirror and its index; our unconfirmed values override Laminar's.

    `asked_at` is when the query was sent, by default now: values that are known to be newer are not overwritten.
    """
    by_id = {row.id: row for row in rows}
    now = clock.now()
    asked_at = asked_at or now
    with transaction.atomic():
        existing = Trace.objects.filter(project=project, trace_id__in=by_id)
        # Insert new traces first, then lock the others, both in a fixed order, as everything does that creates traces:
        # so concurrent writers cannot deadlock.
        absent = sorted(by_id.keys() - set(existing.values_list("trace_id", flat=True)))
        new = _insert_traces(project, [by_id[trace_id] for trace_id in absent], now, asked_at)
        locked = existing.exclude(pk__in=[trace.pk for trace in new]).select_for_update().order_by("trace_id")
        traces = list(locked) if len(new) < len(by_id) else []
        before = [(trace, trace.metadata) for trace in traces if trace.pulled_at is not None]
        changed = [trace for trace in traces if _update_trace(trace, by_id[trace.trace_id], now, asked_at)]
        values = [[*(getattr(trace, name) for name in queries.TRACE_FIELDS), trace.pk] for trace in traces]
        sql.execute_many(queries.UPDATE_TRACE, values)
        index.reindex(changed + new)
        tags.replace_tags(traces + new, {trace.pk: _read_tags(by_id[trace.trace_id]) for trace in traces + new})
        history.record_pulled_changes(project, before)
    if missing := by_id.keys() - {trace.trace_id for trace in traces + new}:
        # Some were pruned at this very moment.
        traces += store_traces(project, [by_id[trace_id] for trace_id in missing], asked_at)
    return traces + new


def store_changed(project: Project, rows: Sequence[TraceRow], asked_at: datetime | None = None) -> int:
    """Store those rows that are new or changed, a few per transaction, so that saves do not wait. Returns how many."""
    asked_at = asked_at or clock.now()
    changed = _select_changed(project, rows)
    for start in range(0, len(changed), TRACES_PER_TRANSACTION):
        store_readable(project, changed[start : start + TRACES_PER_TRANSACTION], asked_at)
    return len(changed)


def store_readable(project: Project, rows: Sequence[TraceRow], asked_at: datetime) -> list[Trace]:
    """As `store_traces`; if that fails, store the rows one by one and mark those that fail. Raises DatabaseError."""
    try:
        return store_traces(project, rows, asked_at) if rows else []
    except sql.DATABASE_FAILURES:
        raise
    except Exception as error:
        if len(rows) > 1:
            return [trace for row in rows for trace in store_readable(project, [row], asked_at)]
        log.exception("Could not store trace %s", rows[0].id)
        reason = f"storing it failed with {type(error).__name__}, see the worker's log"
        unreadable.mark_rows(project, [UnreadableRow(rows[0].id, reason)])
        return []


def store_page(project: Project, page: ParsedRows[TraceRow], asked_at: datetime | None = None) -> int:
    """Store the rows of a response that are new or changed, and mark the unreadable ones. Returns how many changed."""
    unreadable.clear_rows(project, [row.id for row in page.readable])
    unreadable.mark_rows(project, page.unreadable)
    count = store_changed(project, page.readable, asked_at)
    mark_metadata(project, page.readable)
    return count


def mark_metadata(project: Project, rows: Iterable[TraceRow]) -> None:
    """Mark the stored traces of these rows whose metadata cannot be read, and remove the marks of the others."""
    unreadable.mark_metadata(project, {row.id: merge.find_problem(row.metadata) for row in rows})


def store_listed(project: Project, page: ParsedRows[TraceRow], asked_at: datetime | None = None) -> int:
    """As `store_page`, for a listing: runs of evaluations and of the playground are stored only if queued."""
    return store_page(
        project,
        ParsedRows(
            [row for row in page.readable if row.trace_type == "DEFAULT"],
            [row for row in page.unreadable if row.trace_type == "DEFAULT"],
        ),
        asked_at,
    )


def _select_changed(project: Project, rows: Sequence[TraceRow]) -> list[TraceRow]:
    """Those rows that are not in the mirror, or differ from it."""
    stored: Mapping[UUID, tuple[object, ...]] = {
        trace_id: tuple(values)
        for trace_id, *values in Trace.objects.filter(project=project, trace_id__in=[row.id for row in rows])
        .exclude(pulled_at=None)
        .values_list("trace_id", "metadata", *_COPIED_FIELDS)
    }
    stored_tags = tags.load_laminar_tags(project, stored)
    return [
        row
        for row in rows
        if stored.get(row.id) != (row.metadata or "{}", *_copied_values(row))
        or stored_tags.get(row.id, set()) != _read_tags(row)
    ]


def _read_tags(row: TraceRow) -> set[tags.SourcedTag]:
    """The tags by which Laminar itself can filter."""
    sources = ((TraceTag.Source.ARRIVAL, row.tags), (TraceTag.Source.LAMINAR, row.trace_tags))
    return {(tags.shorten_name(name), source.value) for source, names in sources for name in names if name}


def _insert_traces(project: Project, rows: Sequence[TraceRow], now: datetime, asked_at: datetime) -> list[Trace]:
    """Insert a trace for each row; leaves out those that somebody else inserts at this moment."""
    new = {sql.to_db_value(row.id): Trace(project=project, trace_id=row.id) for row in rows}
    for trace, row in zip(new.values(), rows, strict=True):
        _update_trace(trace, row, now, asked_at)
    inserted = []
    for pk, trace_id in sql.insert_objects(list(new.values()), "id", "trace_id"):
        new[trace_id].pk = pk
        inserted.append(new[trace_id])
    return inserted


# Fields that are copied from a row, in the order of `_copied_values`.
_COPIED_FIELDS = [
    "name", "start_time", "end_time", "status", "session_id", "user_id", "input_tokens", "output_tokens",
    "total_tokens", "total_cost",
]  # fmt: skip


def _copied_values(row: TraceRow) -> tuple[object, ...]:
    return (
        shorten(row.top_span_name, 300), row.start_time, row.end_time, shorten(row.status, 20),
        shorten(row.session_id, 300), shorten(row.user_id, 300),
        row.input_tokens, row.output_tokens, row.total_tokens, row.total_cost,
    )  # fmt: skip


def _update_trace(trace: Trace, row: TraceRow, now: datetime, asked_at: datetime) -> bool:
    """Set a trace's fields from a row. Returns whether the trace has to be indexed again."""
    before, is_known = (trace.metadata, trace.start_time), trace.pulled_at is not None
    has_grown = (trace.end_time, trace.total_tokens) != (row.end_time, row.total_tokens)
    if has_grown and trace.spans_pulled_at is not None and trace.pull_due_at is None:
        trace.pull_due_at = now
    for field, value in zip(_COPIED_FIELDS, _copied_values(row), strict=True):
        setattr(trace, field, value)
    trace.duration, trace.pulled_at = trace.seconds, now
    try:
        members = merge.read_members(row.metadata)
    except merge.UnreadableMetadataError:
        # It is marked; what was read before is kept.
        members = merge.parse_members(trace.metadata)
    is_older = trace.asked_at is not None and asked_at < trace.asked_at
    if is_older:
        # Laminar deletes no key: an older response can only add some. Keep the stored order of keys.
        newer = merge.parse_members(trace.metadata)
        members = newer | members | newer
    else:
        trace.asked_at = asked_at
    if trace.unconfirmed != "{}":
        members |= merge.parse_members(trace.unconfirmed)
    trace.metadata = merge.dump_members(members)
    if is_known and trace.metadata != before[0]:
        trace.changed_at = now
    trace.read_due_at = now if is_older else trace.compute_next_read(now)
    has_changed = (trace.metadata, trace.start_time) != before
    if has_changed:
        trace.noted_at = now
    return has_changed
