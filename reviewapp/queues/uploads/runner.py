"""Process uploads in the worker: a batch per transaction, which moves the upload's position with it.

A killed worker loses only the batch under way, which the next one repeats; two workers never process the same batch.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.http import QueryDict

from reviewapp.lib import clock, failpoints
from reviewapp.queues import adding
from reviewapp.queues.adding import Entry
from reviewapp.queues.models import Source
from reviewapp.queues.models.upload import NEXT_STATES, Upload, UploadFault, UploadState
from reviewapp.queues.requeueing import requeue
from reviewapp.queues.uploads import columns
from reviewapp.queues.uploads.records import MAX_REREADS, read_records
from reviewapp.traces.filters.filter_view import read_view
from reviewapp.traces.filters.paging import get_batch

log = logging.getLogger(__name__)

BATCH_SIZE = 1_000
RETRY_DELAY = timedelta(minutes=1)
INTERNAL_ERROR = "An internal error stopped this upload; see the worker's log. What was added stays; it will continue."


@dataclass(slots=True)
class Batch:
    """The next entries of an upload, the lines with errors, and where the batch after it begins."""

    position: int
    line: int
    cursor: str = ""
    is_last: bool = True
    entries: list[Entry] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)


def process_uploads() -> int:
    """Process one batch of the upload that has waited longest. Returns the number of lines."""
    due = Upload.objects.filter(Q(retry_at=None) | Q(retry_at__lte=clock.now()), state__in=list(NEXT_STATES))
    upload = due.select_related("queue__project", "user").order_by("processed_at").first()
    if upload is None:
        return 0
    try:
        return _process(upload)
    except Exception:
        # An upload that fails must not stop the others.
        log.exception("upload %s failed and will be retried", upload.pk)
        retry_at = clock.now() + RETRY_DELAY
        Upload.objects.filter(pk=upload.pk).update(failure=INTERNAL_ERROR, retry_at=retry_at)
        return 0


def _process(upload: Upload) -> int:
    batch = _read_view_batch(upload) if upload.is_view else _read_file_batch(upload)
    now, state = clock.now(), UploadState(upload.state)
    with transaction.atomic():
        # Nothing changes if another worker has processed the batch, or somebody cancelled the upload.
        same = Upload.objects.filter(pk=upload.pk, state=state, position=upload.position, line=upload.line)
        if not same.filter(cursor=upload.cursor).update(
            position=batch.position, line=batch.line, cursor=batch.cursor, processed_at=now, failure="", retry_at=None,
            fault_count=F("fault_count") + len(batch.faults), state=NEXT_STATES[state] if batch.is_last else state,
        ):  # fmt: skip
            return 0
        UploadFault.objects.bulk_create(
            [UploadFault(upload=upload, line=line, problem=problem) for line, problem in batch.faults], batch_size=300
        )
        counts = _preview(upload, batch.entries) if state == UploadState.CHECKING else _add(upload, batch.entries)
        Upload.objects.filter(pk=upload.pk).update(**{name: F(name) + count for name, count in counts.items() if count})
        failpoints.hit("upload.before_commit")
    failpoints.hit("upload.committed")
    return batch.line - upload.line or int(not batch.is_last)


def _read_file_batch(upload: Upload) -> Batch:
    layout = columns.load_layout(upload)
    position, line = upload.position or layout.start, upload.line or layout.start_line
    batch = Batch(position, line, is_last=False)
    can_reread = upload.fault_count < MAX_REREADS
    records = read_records(upload, layout.kind, layout.delimiter, position, line, can_reread=can_reread)
    for count, record in enumerate(records, 1):
        batch.position, batch.line = record.end, record.end_line
        try:
            batch.entries.append(columns.read_entry(record, layout, upload))
        except columns.RowError as error:
            batch.faults.append((record.line, str(error)[:400]))
        if count == BATCH_SIZE:
            return batch
    batch.is_last, batch.position = True, upload.size
    return batch


def _read_view_batch(upload: Upload) -> Batch:
    view = replace(read_view(QueryDict(upload.name), upload.user), sort="")
    trace_ids, cursor = get_batch(view, upload.queue.project, upload.cursor, BATCH_SIZE)
    entries = [
        Entry(trace_id, reason=upload.reason, priority=upload.priority, due_at=upload.due_at) for trace_id in trace_ids
    ]
    return Batch(0, upload.line + len(entries), cursor, not cursor, entries)


def _preview(upload: Upload, entries: Sequence[Entry]) -> dict[str, int]:
    preview = adding.preview_add(upload.queue, [entry.trace_id for entry in entries])
    return {
        "added": preview.new, "duplicates": preview.pending, "completed": preview.completed,
        "skipped": preview.skipped, "removed": preview.removed,
    }  # fmt: skip


def _add(upload: Upload, entries: Sequence[Entry]) -> dict[str, int]:
    if not entries:
        return {}
    actor = upload.user or upload.made_by
    trace_ids: list[UUID] = [entry.trace_id for entry in entries]
    requeued = 0
    if upload.requeues:
        requeued = requeue(upload.queue, actor, adding.preview_add(upload.queue, trace_ids).closed_items)
    source = Source.VIEW if upload.is_view else Source.FILE
    result = adding.add(upload.queue, entries, actor, source=source, bring_back=upload.brings_back)
    return {
        "added": result.added, "duplicates": result.duplicates - requeued, "removed": result.removed,
        "requeued": requeued,
    }  # fmt: skip
