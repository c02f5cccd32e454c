"""Bring traces from Laminar into the mirror.

New traces are listed by start time, because Laminar has no "changed since"; a trace that somebody wants
to read is pulled with its spans, and again while it may still be running.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.laminar import SpanRow, TraceRow
from reviewapp.lib import clock, sql
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.metadata import history, index, merge
from reviewapp.traces.models import CHANGE_WINDOW, Span, Trace
from reviewapp.traces.reader import prepared, transcript_html

# Of each trace so many spans are read at most. A save waits for one transaction of so many, or of so many traces.
MAX_SPANS = 100_000
SPANS_STORED = 100
STORED = 200
PAGE_SIZE = 500
AGAIN = timedelta(seconds=20)
# A longer one is pulled again the more rarely the longer it is: each pull reads all of it.
MANY_SPANS = 2_000
# A wanted trace that is not there is looked for soon, then ever more rarely, for about a day.
MISS_DELAYS = [1, 2, 3, 5, 10, 30, 60, 300, 900, 3_600, 10_800, 21_600, 43_200]
# How many traces of the same need are pulled in one go, and how long no other worker pulls them.
BATCH_SIZE = 8
LEASE = timedelta(seconds=40)
# Somebody wants to read it now: a look this far off is brought forward.
PATIENCE = timedelta(minutes=1)

KEY_CANNOT_READ = "The project's Laminar key is ingest-only and may not read. An admin adds a full key."
INTERNAL_ERROR = "A fault of ours kept this trace from being stored; the worker's log tells it. It is tried again."


def request_pull(project: Project, trace_ids: Iterable[UUID], *, is_kept: bool = True) -> None:
    """Ask the worker to pull these traces with their spans soon; the spans of those that have them are left.

    They stay in the mirror for ever, unless `is_kept` says that a moment's reading is all that is wanted.
    """
    ids = sorted(set(trace_ids))
    now = clock.now()
    places = [Trace(project=project, trace_id=trace_id, pull_due_at=now, is_kept=is_kept) for trace_id in ids]
    with transaction.atomic():
        Trace.objects.bulk_create(places, ignore_conflicts=True, batch_size=500)
        found = sum(_hurry(project, ids[start : start + 500], now, is_kept) for start in range(0, len(ids), 500))
        if found < len(ids):
            # The mirror was pruned of some in this moment.
            request_pull(project, ids, is_kept=is_kept)


def _hurry(project: Project, ids: Sequence[UUID], now: datetime, is_kept: bool) -> int:
    """Bring the pull of these traces forward; how many have a place."""
    known = Trace.objects.select_for_update().filter(project=project, trace_id__in=ids).order_by("trace_id")
    rows = list(known.only("is_kept", "pull_due_at", "spans_pulled_at"))
    passing = [row.pk for row in rows if is_kept and not row.is_kept]
    if passing:
        Trace.objects.filter(pk__in=passing).update(is_kept=True, read_due_at=now)
    late = [row.pk for row in rows if row.spans_pulled_at is None and _is_late(row.pull_due_at, now)]
    if late:
        Trace.objects.filter(pk__in=late).update(pull_due_at=now, pull_tries=0)
    return len(rows)


def _is_late(due_at: datetime | None, now: datetime) -> bool:
    """Whether a look that is planned, or none, is too far off for somebody who wants to read."""
    return due_at is None or due_at > now + PATIENCE


def select_due(busy: Collection[int] = ()) -> list[Trace]:
    """Traces to pull now, the longest waiting first, taken for one pull; none of projects that are `busy`."""
    now = clock.now()
    due = Trace.objects.due_for_pull(now).exclude(project__in=busy)
    if not due.exists():
        return []
    with transaction.atomic():
        rows = list(due.select_related("project").select_for_update(skip_locked=True, of=("self",))[:BATCH_SIZE])
        Trace.objects.filter(pk__in=[row.pk for row in rows]).update(pull_due_at=now + LEASE)
    return rows


def store_traces(project: Project, rows: Sequence[TraceRow], asked_at: datetime | None = None) -> list[Trace]:
    """Put traces as Laminar shows them into the mirror, index included; our unconfirmed values stay on top.

    `asked_at` is when Laminar was asked for them, now by default: no value that is known to be newer is written over.
    """
    found = {row.id: row for row in rows}
    now = clock.now()
    asked_at = asked_at or now
    with transaction.atomic():
        of_these = Trace.objects.filter(project=project, trace_id__in=found)
        # New ones first, then the others' locks, both in one order, as whoever needs places does: those who want or
        # store the same traces wait for each other and never in a ring.
        absent = sorted(found.keys() - set(of_these.values_list("trace_id", flat=True)))
        new = _added(project, [found[trace_id] for trace_id in absent], now, asked_at)
        held = of_these.exclude(pk__in=[trace.pk for trace in new]).select_for_update().order_by("trace_id")
        places = list(held) if len(new) < len(found) else []
        before = [(place, place.metadata, place.pulled_at) for place in places if place.pulled_at is not None]
        changed = [place for place in places if _fill(place, found[place.trace_id], now, asked_at)]
        sql.execute_many(_UPDATE, [[*(getattr(place, field) for field in _FIELDS), place.pk] for place in places])
        index.reindex(changed + new)
        history.add_read(project, before)
    if left := found.keys() - {trace.trace_id for trace in places + new}:
        # The mirror was pruned of some in this moment.
        places += store_traces(project, [found[trace_id] for trace_id in left], asked_at)
    return places + new


def store_changed(project: Project, rows: Sequence[TraceRow], asked_at: datetime | None = None) -> int:
    """Store those of these traces that the mirror lacks or holds otherwise; how many. A save waits for few of them."""
    asked_at = asked_at or clock.now()
    new = unseen(project, rows)
    for start in range(0, len(new), STORED):
        store_traces(project, new[start : start + STORED], asked_at)
    return len(new)


def store_listed(project: Project, rows: Sequence[TraceRow], asked_at: datetime | None = None) -> int:
    """As `store_new`, for a listing: runs of evaluations and of the playground come only where somebody queues them."""
    return store_changed(project, [row for row in rows if row.trace_type == "DEFAULT"], asked_at)


def store_spans(trace: Trace, rows: Sequence[SpanRow]) -> set[UUID]:
    """Put a page of a trace's spans into the mirror, and keep other workers from pulling it; the ids stored."""
    # Laminar may show a span twice for a moment, while it still merges two versions of it.
    spans = [_span(trace, row) for row in {row.span_id: row for row in rows}.values()]
    for start in range(0, len(spans), SPANS_STORED):
        with transaction.atomic():
            Trace.objects.select_for_update().only("pk").get(pk=trace.pk)
            Span.objects.bulk_create(
                spans[start : start + SPANS_STORED], batch_size=100, update_conflicts=True,
                unique_fields=["trace", "span_id"], update_fields=_SPAN_FIELDS,
            )  # fmt: skip
    Trace.objects.filter(pk=trace.pk).update(pull_due_at=clock.now() + LEASE)
    return {span.span_id for span in spans}


def finish_pull(trace: Trace, stored: Collection[UUID]) -> None:
    """All spans of a trace are stored: those that Laminar shows no more go, and it is decided when to look again."""
    gone = [pk for pk, span_id in _span_ids(trace) if span_id not in stored]
    for start in range(0, len(gone), SPANS_STORED):
        Span.objects.filter(pk__in=gone[start : start + SPANS_STORED]).delete()
    now = clock.now()
    trace.spans_pulled_at, trace.span_count = now, len(stored)
    made = transcript_html.prepare_transcript(trace)
    may_change = trace.end_time is None or abs(now - trace.end_time) < CHANGE_WINDOW
    again = AGAIN * max(1, len(stored) // MANY_SPANS)
    with transaction.atomic():
        Trace.objects.select_for_update().only("pk").get(pk=trace.pk)
        prepared.store(made)
        Trace.objects.filter(pk=trace.pk).update(
            spans_pulled_at=now, span_count=len(stored), is_cut=len(stored) >= MAX_SPANS, pull_error="",
            pull_tries=0, pull_due_at=now + again if may_change else None,
        )  # fmt: skip


def rebuild_outdated(limit: int) -> int:
    """Render transcripts again that an older version of the code rendered, the newest first. Returns how many."""
    return sum(render_again(trace) for trace in prepared.select_outdated(limit))


def render_again(trace: Trace) -> bool:
    """Render the transcript of a trace from the spans that are here. False if others have come meanwhile."""
    transcript = transcript_html.prepare_transcript(trace)
    with transaction.atomic():
        same = Trace.objects.select_for_update().filter(pk=trace.pk, spans_pulled_at=trace.spans_pulled_at)
        if same.only("pk").first() is None:
            return False
        prepared.store(transcript)
        return True


def await_reader(trace: Trace) -> None:
    """Somebody has the page of a trace open that is not here: look for it now, unless that was planned anyhow."""
    if not trace.has_spans and (trace.pull_due_at is None or trace.pull_due_at > clock.now() + PATIENCE):
        request_pull(trace.project, [trace.trace_id], is_kept=False)


def reschedule_missing(traces: Sequence[Trace]) -> None:
    """Remember that Laminar does not show these traces yet, and when to look again."""
    for trace in traces:
        tries = trace.pull_tries + 1
        due = clock.now() + timedelta(seconds=MISS_DELAYS[trace.pull_tries]) if tries <= len(MISS_DELAYS) else None
        Trace.objects.filter(pk=trace.pk).update(
            pull_tries=tries, pull_due_at=due, pull_error="Laminar does not show this trace yet."
        )


def reschedule_failed(traces: Sequence[Trace], error: str) -> None:
    """Remember why a pull failed; it is tried again in a while, and what is here stays."""
    for trace in traces:
        wait = MISS_DELAYS[min(trace.pull_tries, 7)]
        Trace.objects.filter(pk=trace.pk).update(
            pull_tries=trace.pull_tries + 1, pull_due_at=clock.now() + timedelta(seconds=wait), pull_error=error[:300]
        )


def unseen(project: Project, rows: Sequence[TraceRow]) -> list[TraceRow]:
    """Of these rows, those that the mirror lacks or holds otherwise."""
    known: Mapping[UUID, tuple[object, ...]] = {
        found[0]: found[1:]
        for found in Trace.objects.filter(project=project, trace_id__in=[row.id for row in rows])
        .exclude(pulled_at=None)
        .values_list("trace_id", "metadata", *_SAID)
    }
    return [row for row in rows if known.get(row.id) != (row.metadata or "{}", *_said(row))]


def _added(project: Project, rows: Sequence[TraceRow], now: datetime, asked_at: datetime) -> list[Trace]:
    """Traces made of rows that had no place; those that somebody makes at this moment are left out."""
    new = {sql.to_db_value(row.id): Trace(project=project, trace_id=row.id) for row in rows}
    for trace, row in zip(new.values(), rows, strict=True):
        _fill(trace, row, now, asked_at)
    added = []
    for pk, trace_id in sql.insert_objects(list(new.values()), "id", "trace_id"):
        new[trace_id].pk = pk
        added.append(new[trace_id])
    return added


# What the mirror keeps of a row as it is, in the order of `_said`.
_SAID = [
    "name", "start_time", "end_time", "status", "session_id", "user_id", "input_tokens", "output_tokens",
    "total_tokens", "total_cost",
]  # fmt: skip
_FIELDS = [
    *_SAID, "duration", "metadata", "noted_at", "pulled_at", "asked_at", "pull_due_at", "read_due_at", "changed_at",
]  # fmt: skip
_UPDATE = f"UPDATE reviewapp_trace SET {', '.join(f'{field} = %s' for field in _FIELDS)} WHERE id = %s"  # noqa: S608


_SPAN_FIELDS = [
    "parent_span_id", "name", "span_type", "status", "start_time", "end_time", "input", "output", "model",
    "total_tokens", "total_cost", "attributes", "event_texts",
]  # fmt: skip


def _span_ids(trace: Trace) -> Iterable[tuple[int, UUID]]:
    return Span.objects.filter(trace=trace).values_list("pk", "span_id")


def _said(row: TraceRow) -> tuple[object, ...]:
    return (
        row.top_span_name[:300], row.start_time, row.end_time, row.status[:20], row.session_id[:300], row.user_id[:300],
        row.input_tokens, row.output_tokens, row.total_tokens, row.total_cost,
    )  # fmt: skip


def _fill(trace: Trace, row: TraceRow, now: datetime, asked_at: datetime) -> bool:
    """Take over a row's values; whether the index has to follow."""
    before, is_known = (trace.metadata, trace.start_time), trace.pulled_at is not None
    has_grown = (trace.end_time, trace.total_tokens) != (row.end_time, row.total_tokens)
    if has_grown and trace.spans_pulled_at is not None and trace.pull_due_at is None:
        trace.pull_due_at = now
    for field, value in zip(_SAID, _said(row), strict=True):
        setattr(trace, field, value)
    trace.duration, trace.pulled_at = trace.seconds, now
    members = merge.parse_members(row.metadata)
    is_older = trace.asked_at is not None and asked_at < trace.asked_at
    if is_older:
        # Laminar deletes no key: an older answer can only add some.
        newer = merge.parse_members(trace.metadata)
        members = newer | members | newer
    else:
        trace.asked_at = asked_at
    if trace.unconfirmed != "{}":
        members |= merge.parse_members(trace.unconfirmed)
    trace.metadata = merge.dump_members(members)
    if is_known and trace.metadata != before[0]:
        trace.changed_at = now
    trace.read_due_at = now if is_older else trace.next_read(now)
    is_new = (trace.metadata, trace.start_time) != before
    if is_new:
        trace.noted_at = now
    return is_new


def _span(trace: Trace, row: SpanRow) -> Span:
    return Span(
        trace=trace, span_id=row.span_id, parent_span_id=row.parent_span_id, name=to_storable_text(row.name)[:300],
        span_type=row.span_type[:30], status=row.status[:20], start_time=row.start_time, end_time=row.end_time,
        input=to_storable_text(row.input), output=to_storable_text(row.output), model=row.model[:200],
        total_tokens=row.total_tokens,
        total_cost=row.total_cost, attributes=row.attributes, event_texts=json.dumps(row.events, ensure_ascii=True),
    )  # fmt: skip
