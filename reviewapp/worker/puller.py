"""Pull wanted traces with their spans. A trace that cannot be read or stored is marked and never stops the others."""

import logging
from collections.abc import Sequence
from uuid import UUID

from asgiref.sync import sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.delivery import outbox
from reviewapp.laminar import (
    AsyncLaminar,
    LaminarError,
    RequestRefused,
    RequestTooLarge,
    ServerError,
    TimedOut,
    UnexpectedResponse,
)
from reviewapp.lib import clock
from reviewapp.lib.sql import DATABASE_FAILURES
from reviewapp.queues import sessions
from reviewapp.traces.models import Trace, UnreadablePart
from reviewapp.traces.sync import pull, storing, unreadable

log = logging.getLogger(__name__)

# Errors about one trace, and errors that may be about one trace: a second one in a row is about the server.
TRACE_ERRORS = (RequestTooLarge, RequestRefused, UnexpectedResponse)
POSSIBLE_TRACE_ERRORS = (TimedOut, ServerError)


async def pull_traces(client: AsyncLaminar, project: Project, traces: Sequence[Trace]) -> None:
    """Pull these traces of one project. Those not reached are rescheduled before an error is raised.

    Raises LaminarError, DatabaseError.
    """
    remaining = {trace.trace_id: trace for trace in traces}
    try:
        last_error: LaminarError | None = None
        for trace in await _store_rows(client, project, remaining):
            error = await _pull_spans(client, trace)
            if error is not None and last_error is not None:
                raise error
            if error is not None:
                await sync_to_async(pull.reschedule_failed)([trace], str(error))
            del remaining[trace.trace_id]
            last_error = error
    except Exception as error:
        reason = str(error) if isinstance(error, LaminarError) else pull.INTERNAL_ERROR
        await sync_to_async(pull.reschedule_failed)(list(remaining.values()), reason)
        raise


async def _store_rows(client: AsyncLaminar, project: Project, remaining: dict[UUID, Trace]) -> list[Trace]:
    """Store the rows of these traces. Those that are missing or unreadable are rescheduled and removed."""
    requested_at = clock.now()
    page = await client.traces(list(remaining))
    await sync_to_async(unreadable.clear_rows)(project, [row.id for row in page.readable])
    await sync_to_async(unreadable.mark_rows)(project, page.unreadable)
    reasons = {row.id: row.reason for row in page.unreadable}
    await sync_to_async(outbox.wake_missed)(project, [row.id for row in page.readable])
    missing = remaining.keys() - {row.id for row in page.readable} - reasons.keys()
    await sync_to_async(pull.reschedule_missing)([remaining.pop(trace_id) for trace_id in missing])
    stored = await sync_to_async(storing.store_readable)(project, page.readable, requested_at)
    await sync_to_async(storing.mark_metadata)(project, page.readable)
    await sync_to_async(sessions.skip_duplicates)(project, [trace.trace_id for trace in stored])
    for trace_id in remaining.keys() - {trace.trace_id for trace in stored}:
        reason = reasons.get(trace_id, "it could not be stored")
        await sync_to_async(pull.postpone_unreadable)(remaining.pop(trace_id), reason)
    return stored


async def _pull_spans(client: AsyncLaminar, trace: Trace) -> LaminarError | None:
    """Pull the spans of a stored trace; mark them if that fails for a reason of its own.

    Returns an error that may be about this trace or about the server. Raises LaminarError, DatabaseError.
    """
    span_ids: set[UUID] = set()
    problems: dict[UUID | None, str] = {}
    try:
        async for page in client.span_pages(trace.trace_id, pull.MAX_SPANS):
            span_ids |= await sync_to_async(pull.store_spans)(trace, page.readable)
            # What was stored of an unreadable span before is kept.
            span_ids |= {row.id for row in page.unreadable if row.id is not None}
            problems |= {row.id: row.reason for row in page.unreadable}
            problems |= {row.span_id: row.event_error for row in page.readable if row.event_error}
        await sync_to_async(pull.finish_pull)(trace, span_ids, _summarise(list(problems.values())))
    except POSSIBLE_TRACE_ERRORS as error:
        return error
    except TRACE_ERRORS as error:
        problem = error.problem if isinstance(error, UnexpectedResponse) else str(error).rstrip(".")
        await _mark_spans(trace, problem)
    except (LaminarError, *DATABASE_FAILURES):
        raise
    except Exception as error:
        log.exception("Could not store the spans of trace %s", trace.trace_id)
        await _mark_spans(trace, f"storing them failed with {type(error).__name__}, see the worker's log")
    return None


async def _mark_spans(trace: Trace, reason: str) -> None:
    await sync_to_async(unreadable.mark_part)(trace, UnreadablePart.Part.SPANS, reason)
    await sync_to_async(pull.postpone_unreadable)(trace, reason)


def _summarise(problems: Sequence[str]) -> str:
    """What to say of the spans that could not be read; empty if there are none."""
    if not problems:
        return ""
    return f"in {len(problems):,} {'span' if len(problems) == 1 else 'spans'}, {problems[0]}"
