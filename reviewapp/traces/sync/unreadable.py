"""Traces that could not be read, wholly or in part: marked with the reason, counted, and tried again ever more rarely.

One bad row never hides the others of its response: whoever reads many rows stores the readable ones and marks the rest.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from reviewapp.accounts.models import Project
from reviewapp.laminar import UnreadableRow
from reviewapp.lib import clock
from reviewapp.lib.batches import batched
from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.models import Trace, UnreadablePart

log = logging.getLogger(__name__)

Part = UnreadablePart.Part
# Delays before an unreadable part is tried again; the last one is repeated.
RETRY_DELAYS = [timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1)]
# Most traces that a listing leaves out because they are too long.
MAX_EXCLUDED = 200


def mark_rows(project: Project, rows: Sequence[UnreadableRow]) -> None:
    """Mark traces whose rows could not be read; those that are not in the mirror get a placeholder."""
    unidentified = [row for row in rows if row.id is None]
    if unidentified:
        log.warning("%s rows of project %s have no readable id: %s", len(unidentified), project.slug, unidentified[0])
    # A listing returns the same rows again and again: most are marked already.
    marked = set(_marked_reasons(project, [row.id for row in rows if row.id is not None]))
    new = [row for row in rows if row.id is None or (row.id, _reason(row), row.is_too_long) not in marked]
    by_id = {row.id: row for row in new if row.id is not None}
    for batch in batched(sorted(by_id)):
        with transaction.atomic():
            placeholders = [Trace(project=project, trace_id=trace_id) for trace_id in batch]
            Trace.objects.bulk_create(placeholders, ignore_conflicts=True)
            traces = Trace.objects.filter(project=project, trace_id__in=batch).select_for_update().order_by("trace_id")
            _mark(project, Part.TRACE, {pk: by_id[trace_id] for pk, trace_id in traces.values_list("pk", "trace_id")})


def mark_metadata(project: Project, problems: Mapping[UUID, str]) -> None:
    """Mark stored traces whose metadata cannot be read, and remove the marks of those whose metadata can.

    `problems` are by trace id, without a full stop; an empty one is none.
    """
    marks = UnreadablePart.objects.filter(project=project, part=Part.METADATA)
    for batch in batched(list(problems)):
        bad = [trace_id for trace_id in batch if problems[trace_id]]
        if readable := list(marks.filter(trace__trace_id__in=batch).exclude(trace__trace_id__in=bad)):
            marks.filter(pk__in=[mark.pk for mark in readable]).delete()
        if bad:
            with transaction.atomic():
                traces = Trace.objects.filter(project=project, trace_id__in=bad).values_list("pk", "trace_id")
                rows = {pk: UnreadableRow(trace_id, problems[trace_id]) for pk, trace_id in traces}
                _mark(project, Part.METADATA, rows)


def mark_part(trace: Trace, part: str, reason: str) -> None:
    """Mark a part of a mirrored trace as unreadable."""
    with transaction.atomic():
        _mark(trace.project, part, {trace.pk: UnreadableRow(trace.trace_id, reason)})


def clear_rows(project: Project, trace_ids: Collection[UUID]) -> None:
    """Remove the marks of traces whose rows could be read; a pull that one of them prevented becomes due."""
    marks = UnreadablePart.objects.filter(project=project, part=Part.TRACE)
    for batch in batched(list(trace_ids)):
        pks = list(marks.filter(trace__trace_id__in=batch).values_list("trace_id", flat=True))
        if pks:
            marks.filter(trace__in=pks).delete()
            prevented = Trace.objects.filter(pk__in=pks, spans_pulled_at=None, pull_due_at=None, pull_tries__gt=0)
            prevented.update(pull_due_at=clock.now())


def clear_part(trace: Trace, part: str) -> None:
    """Remove the mark of a part that could be read."""
    UnreadablePart.objects.filter(trace=trace, part=part).delete()


def select_due(limit: int) -> list[UnreadablePart]:
    """Take up to `limit` marks that are due for another try, and schedule the try after that one."""
    now = clock.now()
    due = UnreadablePart.objects.filter(retry_at__lte=now).order_by("retry_at")
    if not due.exists():
        return []
    with transaction.atomic():
        marks = list(due.select_related("trace__project").select_for_update(skip_locked=True, of=("self",))[:limit])
        for mark in marks:
            mark.tries += 1
            mark.retry_at = now + RETRY_DELAYS[min(mark.tries, len(RETRY_DELAYS) - 1)]
        UnreadablePart.objects.bulk_update(marks, ["tries", "retry_at"])
    return marks


def find_too_long(project: Project) -> list[UUID]:
    """The traces that a listing leaves out: their rows alone are longer than a response may be."""
    marks = UnreadablePart.objects.filter(project=project, part=Part.TRACE, is_too_long=True)
    return list(marks.order_by("-pk").values_list("trace__trace_id", flat=True)[:MAX_EXCLUDED])


def keeps_spans_away(trace: Trace) -> bool:
    """Whether a part of the trace is marked without which its spans are pulled only when the mark is tried again."""
    return UnreadablePart.objects.filter(trace=trace).exclude(part=Part.METADATA).exists()


def count_traces(project: Project) -> int:
    """The number of traces of which a part could not be read."""
    return UnreadablePart.objects.filter(project=project).values("trace").distinct().count()


def count_by_project() -> dict[str, int]:
    """The number of such traces of each project that has any, by its slug."""
    counts = UnreadablePart.objects.order_by().values_list("project__slug").annotate(Count("trace", distinct=True))
    return dict(counts)


def prune(project: Project, before: datetime, exempt: Exists, limit: int) -> int:
    """Delete up to `limit` placeholders of traces that nobody has queued and that are unreadable since before then."""
    marks = UnreadablePart.objects.filter(trace=OuterRef("pk"), since__lt=before)
    traces = Trace.objects.filter(
        Exists(marks), project=project, is_kept=False, start_time=None, pull_due_at=None, unconfirmed="{}"
    ).exclude(exempt)
    with transaction.atomic():
        pks = list(traces.select_for_update(skip_locked=True).order_by("trace_id").values_list("pk", flat=True)[:limit])
        Trace.objects.filter(pk__in=pks).delete()
    return len(pks)


def _mark(project: Project, part: str, rows: dict[int, UnreadableRow]) -> None:
    """Insert or update the marks of these traces, by primary key; an unchanged mark costs no write."""
    existing = UnreadablePart.objects.filter(trace__in=rows, part=part)
    stored = {mark.trace_id: mark for mark in existing}
    now = clock.now()
    new = [
        UnreadablePart(
            project=project, trace_id=pk, part=part, reason=_reason(row), is_too_long=row.is_too_long, since=now,
            retry_at=now + RETRY_DELAYS[0],
        )
        for pk, row in rows.items()
        if pk not in stored
    ]  # fmt: skip
    UnreadablePart.objects.bulk_create(new, ignore_conflicts=True)
    for pk, mark in stored.items():
        reason, is_too_long = _reason(rows[pk]), rows[pk].is_too_long
        if (mark.reason, mark.is_too_long) != (reason, is_too_long):
            existing.filter(pk=mark.pk).update(reason=reason, is_too_long=is_too_long)


def _marked_reasons(project: Project, trace_ids: Sequence[UUID]) -> Iterator[tuple[UUID, str, bool]]:
    """Id, reason and `is_too_long` of those of these traces whose rows are marked."""
    marks = UnreadablePart.objects.filter(project=project, part=Part.TRACE)
    for batch in batched(trace_ids):
        yield from marks.filter(trace__trace_id__in=batch).values_list("trace__trace_id", "reason", "is_too_long")


def _reason(row: UnreadableRow) -> str:
    return shorten(to_storable_text(row.reason), UnreadablePart.MAX_REASON_LENGTH)
