"""Render the transcripts of pulled traces. One that cannot be rendered is marked and never stops the others."""

import logging

from django.db import transaction

from reviewapp.lib import clock, sql
from reviewapp.traces.filter_models import Excerpt
from reviewapp.traces.metadata import span_values
from reviewapp.traces.models import PreparedTranscript, Trace, UnreadablePart
from reviewapp.traces.reader import prepared, transcript_html
from reviewapp.traces.sync import unreadable

log = logging.getLogger(__name__)

Part = UnreadablePart.Part


def rebuild_outdated(limit: int) -> int:
    """Render up to `limit` transcripts again that an older version rendered, newest first. Returns how many."""
    return sum(render_again(trace) for trace in prepared.select_outdated(limit))


def retry_unreadable(limit: int) -> int:
    """Try up to `limit` unreadable parts again: render transcripts now, let traces and spans be read soon.

    Returns their number.
    """
    marks, now = unreadable.select_due(limit), clock.now()
    pks = {part: [mark.trace_id for mark in marks if mark.part == part] for part in Part}
    Trace.objects.filter(pk__in=pks[Part.TRACE] + pks[Part.METADATA]).update(read_due_at=now)
    Trace.objects.filter(pk__in=pks[Part.SPANS]).update(pull_due_at=now)
    for mark in marks:
        if mark.part == Part.TRANSCRIPT:
            render_again(mark.trace)
    return len(marks)


def render_again(trace: Trace) -> bool:
    """Render a trace's transcript from its stored spans. False if it fails, or other spans were stored meanwhile."""
    transcript, values = render(trace), span_values.read(trace)
    with transaction.atomic():
        unchanged = Trace.objects.select_for_update().filter(pk=trace.pk, spans_pulled_at=trace.spans_pulled_at)
        if unchanged.only("pk").first() is None:
            return False
        store(trace, transcript)
        span_values.store(trace, values._replace(is_complete=span_values.is_complete(trace)))
    return not isinstance(transcript, str)


def render(trace: Trace) -> PreparedTranscript | str:
    """Render a trace's transcript, or return why it cannot be rendered. Does not save it. Raises DatabaseError."""
    try:
        return transcript_html.prepare_transcript(trace)
    except sql.DATABASE_FAILURES:
        raise
    except Exception as error:
        log.exception("Could not render the transcript of trace %s", trace.trace_id)
        return f"rendering it failed with {type(error).__name__}, see the worker's log"


def store(trace: Trace, transcript: PreparedTranscript | str) -> None:
    """Store a result of `render`. The caller must have locked the trace."""
    if isinstance(transcript, str):
        # What an older version rendered may be of other spans, and would be tried again at once.
        PreparedTranscript.objects.filter(trace=trace).delete()
        unreadable.mark_part(trace, Part.TRANSCRIPT, transcript)
    else:
        prepared.store(transcript)
        question, answer = transcript.excerpts
        Excerpt.objects.bulk_create(
            [Excerpt(trace=trace, question=question, answer=answer)],
            update_conflicts=True, unique_fields=["trace"], update_fields=["question", "answer"],
        )  # fmt: skip
        unreadable.clear_part(trace, Part.TRANSCRIPT)
