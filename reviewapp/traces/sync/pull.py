"""Pull traces from Laminar into the mirror.

New traces are listed by start time, because Laminar has no "changed since". A trace that somebody wants to read is
pulled with its spans, and again while it may still be running.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from reviewapp.accounts.models import Project
from reviewapp.laminar import SpanRow
from reviewapp.lib import clock, sql
from reviewapp.lib.batches import batched
from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.filter_models import TraceTag
from reviewapp.traces.metadata import span_values, tags
from reviewapp.traces.models import CHANGE_WINDOW, Span, Trace, UnreadablePart
from reviewapp.traces.sync import transcripts, unreadable
from reviewapp.traces.transcript import span_content
from reviewapp.traces.transcript.span_content import SpanContent

# Most spans that are read of one trace.
MAX_SPANS = 100_000
# Spans that are stored in one transaction: few, so that saves do not wait.
SPANS_PER_TRANSACTION = 100
# Spans and traces per query.
PAGE_SIZE = 500
# Delay before a trace that may still change is pulled again, for each MANY_SPANS spans: every pull reads all of them.
REPULL_DELAY = timedelta(seconds=20)
MANY_SPANS = 2_000
# Delays in seconds before a missing trace is looked for again: soon at first, then ever more rarely, for about a day.
MISS_DELAYS = [1, 2, 3, 5, 10, 30, 60, 300, 900, 3_600, 10_800, 21_600, 43_200]
# Traces that a worker takes at once, and how long it has them leased.
BATCH_SIZE = 8
LEASE = timedelta(seconds=40)
# A pull that is due later than this is brought forward when somebody wants to read the trace.
MAX_WAIT = timedelta(minutes=1)

KEY_CANNOT_READ = "This project's Laminar key is ingest-only and cannot read. Ask an admin to add a full key."
INTERNAL_ERROR = "Could not store this trace because of an internal error (see the worker's log). It will be retried."


def request_pull(project: Project, trace_ids: Iterable[UUID], *, is_kept: bool = True) -> None:
    """Schedule a pull of these traces and their spans for now; traces whose spans are pulled keep their schedule.

    They are never pruned, unless `is_kept` is false: then somebody only wants to read them now.
    """
    ids = sorted(set(trace_ids))
    now = clock.now()
    template = Trace(project=project, pull_due_at=now, is_kept=is_kept)
    with transaction.atomic():
        inserted = sql.insert_copies(template, ["trace_id"], [(trace_id,) for trace_id in ids], "trace_id")
        new = {trace_id for (trace_id,) in inserted}
        known = [trace_id for trace_id, stored in zip(ids, sql.to_db_values(ids), strict=True) if stored not in new]
        count = sum(_expedite(project, batch, now, is_kept) for batch in batched(known))
        if count < len(known):
            # Some were pruned at this very moment.
            request_pull(project, known, is_kept=is_kept)


def _expedite(project: Project, ids: Sequence[UUID], now: datetime, is_kept: bool) -> int:
    """Bring the pull of these traces forward. Returns how many of them have a row."""
    locked = Trace.objects.select_for_update().filter(project=project, trace_id__in=ids).order_by("trace_id")
    traces = list(locked.values_list("pk", "is_kept", "pull_due_at", "spans_pulled_at"))
    newly_kept = [pk for pk, was_kept, _, _ in traces if is_kept and not was_kept]
    if newly_kept:
        Trace.objects.filter(pk__in=newly_kept).update(is_kept=True, read_due_at=now)
    late = [pk for pk, _, due_at, pulled_at in traces if pulled_at is None and _is_late(due_at, now)]
    if late:
        Trace.objects.filter(pk__in=late).update(pull_due_at=now, pull_tries=0)
    return len(traces)


def _is_late(due_at: datetime | None, now: datetime) -> bool:
    """Whether no pull is scheduled within MAX_WAIT."""
    return due_at is None or due_at > now + MAX_WAIT


def select_due(busy: Collection[int] = ()) -> list[Trace]:
    """Lease traces whose pull is due, longest waiting first; none of the projects in `busy` (primary keys)."""
    now = clock.now()
    due = Trace.objects.due_for_pull(now).exclude(project__in=busy)
    if not due.exists():
        return []
    with transaction.atomic():
        traces = list(due.select_related("project").select_for_update(skip_locked=True, of=("self",))[:BATCH_SIZE])
        Trace.objects.filter(pk__in=[trace.pk for trace in traces]).update(pull_due_at=now + LEASE)
    return traces


def store_spans(trace: Trace, rows: Sequence[SpanRow]) -> set[UUID]:
    """Store a page of a trace's spans, and renew the lease of the trace. Returns the ids of the spans."""
    # Laminar may return a span twice while it merges two versions of it.
    spans = [_make_span(trace, row) for row in {row.span_id: row for row in rows}.values()]
    span_tags = {name for row in rows for name in row.tags}
    for start in range(0, len(spans), SPANS_PER_TRANSACTION):
        with transaction.atomic():
            Trace.objects.select_for_update().only("pk").get(pk=trace.pk)
            tags.add_tags(trace, TraceTag.Source.SPAN, span_tags)
            Span.objects.bulk_create(
                spans[start : start + SPANS_PER_TRANSACTION], batch_size=100, update_conflicts=True,
                unique_fields=["trace", "span_id"], update_fields=_SPAN_FIELDS,
            )  # fmt: skip
    Trace.objects.filter(pk=trace.pk).update(pull_due_at=clock.now() + LEASE)
    return {span.span_id for span in spans}


def finish_pull(trace: Trace, stored: Collection[UUID], problem: str = "") -> None:
    """Complete a pull that stored these spans: delete the others, render the transcript, schedule the next pull.

    Also store the metadata of the spans, which tells who set each value. `problem` says why some spans could not be
    read, without a full stop.
    """
    known = list(_get_span_ids(trace))
    removed = [pk for pk, span_id in known if span_id not in stored]
    for start in range(0, len(removed), SPANS_PER_TRANSACTION):
        Span.objects.filter(pk__in=removed[start : start + SPANS_PER_TRANSACTION]).delete()
    now = clock.now()
    trace.spans_pulled_at, trace.span_count = now, len(known) - len(removed)
    transcript, values = transcripts.render(trace), span_values.read(trace)
    may_change = trace.end_time is None or abs(now - trace.end_time) < CHANGE_WINDOW
    delay = REPULL_DELAY * max(1, len(stored) // MANY_SPANS)
    is_cut = len(stored) >= MAX_SPANS
    with transaction.atomic():
        Trace.objects.select_for_update().only("pk").get(pk=trace.pk)
        transcripts.store(trace, transcript)
        span_values.store(trace, values._replace(is_complete=not (is_cut or may_change or problem)))
        if problem:
            unreadable.mark_part(trace, UnreadablePart.Part.SPANS, problem)
        else:
            unreadable.clear_part(trace, UnreadablePart.Part.SPANS)
        Trace.objects.filter(pk=trace.pk).update(
            spans_pulled_at=now, span_count=trace.span_count, is_cut=is_cut, pull_error="",
            pull_tries=0, pull_due_at=now + delay if may_change else None,
        )  # fmt: skip


def bring_forward(set_back: timedelta) -> None:
    """Pull at once what may have been scheduled before the clock was set back by this much."""
    now = clock.now()
    Trace.objects.filter(pull_due_at__gt=now + MAX_WAIT, pull_due_at__lte=now + set_back + MAX_WAIT).update(
        pull_due_at=now
    )


def request_for_reader(trace: Trace) -> None:
    """Request a pull of a trace whose page is open, unless its spans are stored or its pull is due soon.

    A trace that could not be read is tried again at its own times: a page that stays open asks every second.
    """
    if not trace.has_spans and _is_late(trace.pull_due_at, clock.now()) and not unreadable.keeps_spans_away(trace):
        request_pull(trace.project, [trace.trace_id], is_kept=False)


def reschedule_missing(traces: Sequence[Trace]) -> None:
    """Record that Laminar does not have these traces yet, and schedule the next pull; none after the last delay."""
    for trace in traces:
        tries = trace.pull_tries + 1
        due_at = clock.now() + timedelta(seconds=MISS_DELAYS[trace.pull_tries]) if tries <= len(MISS_DELAYS) else None
        Trace.objects.filter(pk=trace.pk).update(
            pull_tries=tries, pull_due_at=due_at, pull_error="Laminar does not have this trace yet."
        )


def reschedule_failed(traces: Sequence[Trace], error: str) -> None:
    """Record why a pull failed, and schedule the next one; what is stored stays."""
    for trace in traces:
        delay = timedelta(seconds=MISS_DELAYS[min(trace.pull_tries, 7)])
        Trace.objects.filter(pk=trace.pk).update(
            pull_tries=trace.pull_tries + 1, pull_due_at=clock.now() + delay, pull_error=shorten(error, 300)
        )


def postpone_unreadable(trace: Trace, reason: str) -> None:
    """Record why a pull of this trace alone failed; the next one is due when its mark is tried again."""
    Trace.objects.filter(pk=trace.pk).update(
        pull_tries=F("pull_tries") + 1, pull_due_at=None, pull_error=shorten(f"It could not be read: {reason}.", 300)
    )


_SPAN_FIELDS = [
    "parent_span_id", "name", "span_type", "status", "start_time", "end_time", "input", "output", "model",
    "total_tokens", "total_cost", "attributes", "event_texts",
]  # fmt: skip


def _get_span_ids(trace: Trace) -> Iterable[tuple[int, UUID]]:
    return Span.objects.filter(trace=trace).values_list("pk", "span_id")


def _make_span(trace: Trace, row: SpanRow) -> Span:
    # Laminar has no input and output for the conventions that it does not read.
    content = SpanContent() if row.input and row.output else span_content.read(row.attributes, row.events)
    is_untyped = row.span_type == "DEFAULT" and not row.input and not row.output
    return Span(
        trace=trace, span_id=row.span_id, parent_span_id=row.parent_span_id,
        name=shorten(to_storable_text(row.name), 300),
        span_type=shorten((is_untyped and content.span_type) or row.span_type, 30), status=shorten(row.status, 20),
        start_time=row.start_time, end_time=row.end_time,
        input=to_storable_text(row.input or content.input), output=to_storable_text(row.output or content.output),
        model=shorten(row.model or to_storable_text(content.model), 200),
        total_tokens=row.total_tokens or content.total_tokens,
        total_cost=row.total_cost, attributes=row.attributes, event_texts=json.dumps(row.events, ensure_ascii=True),
    )  # fmt: skip
