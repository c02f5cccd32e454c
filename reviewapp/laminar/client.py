"""Laminar clients: `AsyncLaminar` for the worker, `Laminar` for pages and commands.

Every method raises LaminarError, whose `retry` tells when a retry can help. Redirects are not followed, TLS is always
verified, and one deadline bounds a whole call, even if the server sends one byte per second.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from uuid import UUID, uuid4

import httpx

from reviewapp.laminar import call_slots, http_calls, paging, rows, signals, wire
from reviewapp.laminar.addresses import PinnedTransport, normalize_base_url
from reviewapp.laminar.errors import (
    EndpointNotFound,
    RequestRefused,
    TraceNotFound,
    UnexpectedResponse,
)
from reviewapp.laminar.rows import ParsedRows, SpanRow, TraceRow, UnreadableRow
from reviewapp.laminar.signals import SignalVerdict
from reviewapp.lib import deadline as work_deadline

T = TypeVar("T")

DEADLINE_SECONDS = 30.0

KeyKind = Literal["full", "ingest-only"]


class AsyncLaminar:
    """A client for one Laminar project, over pooled connections. Use it with `async with`.

    `deadline` is the seconds per call. `max_response_bytes` limits the response to a query. `transport` replaces the
    default transport, which checks addresses.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        allowed_hosts: Collection[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE_SECONDS,
        max_response_bytes: int = wire.MAX_QUERY_RESPONSE_BYTES,
    ) -> None:
        self.base_url = normalize_base_url(base_url)
        self._key = wire.clean_key(key)
        self._deadline = deadline
        self._max_response_bytes = max_response_bytes
        self._http = http_calls.create_client(
            {"Authorization": f"Bearer {self._key}", "Accept": "application/json"},
            transport or PinnedTransport(allowed_hosts),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._http.aclose()

    async def push_metadata(self, trace_id: UUID, metadata: Mapping[str, Any]) -> None:
        """Merge top-level keys into a trace's metadata. On return, Laminar has queued the patch, not yet applied it."""
        call = wire.build_metadata_call(trace_id, metadata)
        wire.check_accepted(await self._send(call), call)

    async def tag(self, names: Sequence[str], *, trace_id: UUID | None = None, span_id: UUID | None = None) -> None:
        """Add tags to a span, or to a trace's top span. Needs a full key."""
        call = wire.build_tag_call(names, trace_id, span_id)
        wire.check_accepted(await self._send(call), call)

    async def project(self) -> UUID:
        """Return the id of the key's project. Needs a full key."""
        call = wire.build_project_call()
        return wire.parse_project_id(await self._send(call), call)

    async def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a SELECT. `{name:Type}` in it is replaced by a parameter. Needs a full key."""
        call = wire.build_query_call(sql, parameters or {}, self._max_response_bytes)
        return wire.parse_rows(await self._send(call), call)

    async def traces(self, ids: Sequence[UUID]) -> ParsedRows[TraceRow]:
        """Return those of the traces that Laminar has, in no particular order."""
        return await self._read_by_id(ids, "*", rows.parse_trace_row)

    async def fetch_metadata(self, ids: Sequence[UUID]) -> ParsedRows[tuple[UUID, str]]:
        """Return the id and the metadata, as in TraceRow, of those of the traces that Laminar has.

        No other columns are requested, so none can make the response unreadable.
        """
        return await self._read_by_id(ids, "id, metadata", rows.parse_metadata_row)

    async def find_traces(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        excluded: Sequence[UUID] = (),
    ) -> ParsedRows[TraceRow]:
        """Return the newest traces whose metadata matches all of `pairs`, as in Laminar's trace list.

        `("k", "1")` matches 1 and "1"; `("k", '"1"')` only the string. They started in [since, until). The `excluded`
        traces are left out.
        """
        matches = await self.query(*wire.build_search_query(pairs, since, until, limit, excluded))
        return rows.parse_rows(matches, rows.parse_trace_row)

    async def identify_newest(
        self, error: UnexpectedResponse, *, since: datetime, until: datetime | None, excluded: Sequence[UUID]
    ) -> UnreadableRow | None:
        """Describe the newest trace, whose row alone raised `error`. None if there is no trace."""
        columns = "id, start_time, trace_type"
        matches = await self.query(*wire.build_search_query([], since, until, 1, excluded, columns))
        return rows.identify_row(matches[0], error.problem, is_too_long=True) if matches else None

    async def signal_verdicts(self, ids: Sequence[UUID]) -> ParsedRows[SignalVerdict] | None:
        """Return the newest verdict of each signal on each of the traces; None if the server has no signals."""
        runs: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        async with self._enforce_deadline():
            for start in range(0, len(ids), wire.IDS_PER_QUERY):
                parameters = {"ids": list(ids[start : start + wire.IDS_PER_QUERY])}
                try:
                    runs += await self.query(signals.RUNS_QUERY, parameters)
                    events += await self.query(signals.EVENTS_QUERY, parameters)
                except RequestRefused as error:
                    if "signal_" in error.response_text and "does not exist" in error.response_text:
                        return None
                    raise
        return signals.build_verdicts(runs, events)

    def span_pages(self, trace_id: UUID, max_spans: int) -> AsyncIterator[ParsedRows[SpanRow]]:
        """Yield a trace's first `max_spans` spans in pages, oldest first."""
        return paging.span_pages(self.query, trace_id, max_spans)

    async def key_kind(self) -> KeyKind:
        """Return "full" if the key may read, "ingest-only" if it may only write. Writes nothing."""
        async with self._enforce_deadline():
            try:
                await self.project()
                return "full"
            except EndpointNotFound as error:
                if error.status != 404 or error.response_text:
                    raise
            # Laminar answers an ingest-only key with a blank 404. So does an older server, or one that is not Laminar.
            try:
                await self.push_metadata(uuid4(), {"review.probe": True})
            except TraceNotFound:
                return "ingest-only"
        raise UnexpectedResponse(
            "The server accepted metadata for a trace that does not exist. Check the base URL.", status=200
        )

    async def _read_by_id(
        self, ids: Sequence[UUID], columns: str, parse: Callable[[Mapping[str, Any]], T]
    ) -> ParsedRows[T]:
        parsed: ParsedRows[T] = ParsedRows([], [])
        async with self._enforce_deadline():
            for start in range(0, len(ids), wire.IDS_PER_QUERY):
                batch = await self._read_batch(ids[start : start + wire.IDS_PER_QUERY], columns, parse)
                parsed.readable.extend(batch.readable)
                parsed.unreadable.extend(batch.unreadable)
        return parsed

    async def _read_batch(
        self, ids: Sequence[UUID], columns: str, parse: Callable[[Mapping[str, Any]], T]
    ) -> ParsedRows[T]:
        """Read traces with one query; with more if the response cannot be read, so that one trace hides no other."""
        try:
            return rows.parse_rows(await self.query(*wire.build_traces_query(ids, columns)), parse)
        except UnexpectedResponse as error:
            middle = len(ids) // 2
            if middle:
                first = await self._read_batch(ids[:middle], columns, parse)
                second = await self._read_batch(ids[middle:], columns, parse)
                return ParsedRows(first.readable + second.readable, first.unreadable + second.unreadable)
            # Raises if the server answers nothing at all; else this row is to blame.
            await self.query(*wire.build_traces_query(ids, "id"))
            return ParsedRows([], [UnreadableRow(ids[0], error.problem, is_too_long=True)])

    def _enforce_deadline(self) -> contextlib.AbstractAsyncContextManager[None]:
        return http_calls.enforce_deadline(self.base_url, self._deadline)

    async def _send(self, call: wire.Call) -> wire.Response:
        async with self._enforce_deadline(), http_calls.explain_errors(self.base_url):
            return await self._exchange(call)

    async def _exchange(self, call: wire.Call) -> wire.Response:
        headers = {"Content-Type": "application/json"} if call.body else {}
        content = call.body.encode() if call.body else None
        url = self.base_url + call.path
        async with self._http.stream(call.method, url, content=content, headers=headers) as response:
            is_success = response.status_code == 200
            limit = call.max_response_bytes if is_success else wire.MAX_OTHER_RESPONSE_BYTES
            body = await http_calls.read_body(response, limit + 1)
            return wire.build_response(
                response.status_code, response.headers, body[:limit], is_truncated=len(body) > limit, key=self._key
            )


class Laminar:
    """The same calls for synchronous code. Each call opens and closes its own connection.

    Raises Busy at once if too many threads wait already: see `call_slots`.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        allowed_hosts: Collection[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE_SECONDS,
        max_response_bytes: int = wire.MAX_QUERY_RESPONSE_BYTES,
    ) -> None:
        self.base_url = normalize_base_url(base_url)
        self._deadline = deadline
        self._create_client = partial(
            AsyncLaminar,
            self.base_url,
            wire.clean_key(key),
            allowed_hosts=allowed_hosts,
            transport=transport,
            max_response_bytes=max_response_bytes,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def push_metadata(self, trace_id: UUID, metadata: Mapping[str, Any]) -> None:
        """See AsyncLaminar.push_metadata."""
        self._run(lambda client: client.push_metadata(trace_id, metadata))

    def tag(self, names: Sequence[str], *, trace_id: UUID | None = None, span_id: UUID | None = None) -> None:
        """See AsyncLaminar.tag."""
        self._run(lambda client: client.tag(names, trace_id=trace_id, span_id=span_id))

    def project(self) -> UUID:
        """See AsyncLaminar.project."""
        return self._run(lambda client: client.project())

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """See AsyncLaminar.query."""
        return self._run(lambda client: client.query(sql, parameters))

    def traces(self, ids: Sequence[UUID]) -> ParsedRows[TraceRow]:
        """See AsyncLaminar.traces."""
        return self._run(lambda client: client.traces(ids))

    def fetch_metadata(self, ids: Sequence[UUID]) -> ParsedRows[tuple[UUID, str]]:
        """See AsyncLaminar.fetch_metadata."""
        return self._run(lambda client: client.fetch_metadata(ids))

    def find_traces(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        excluded: Sequence[UUID] = (),
    ) -> ParsedRows[TraceRow]:
        """See AsyncLaminar.find_traces."""
        return self._run(
            lambda client: client.find_traces(pairs, since=since, until=until, limit=limit, excluded=excluded)
        )

    def identify_newest(
        self, error: UnexpectedResponse, *, since: datetime, until: datetime | None, excluded: Sequence[UUID]
    ) -> UnreadableRow | None:
        """See AsyncLaminar.identify_newest."""
        return self._run(lambda client: client.identify_newest(error, since=since, until=until, excluded=excluded))

    def signal_verdicts(self, ids: Sequence[UUID]) -> ParsedRows[SignalVerdict] | None:
        """See AsyncLaminar.signal_verdicts."""
        return self._run(lambda client: client.signal_verdicts(ids))

    def key_kind(self) -> KeyKind:
        """See AsyncLaminar.key_kind."""
        return self._run(lambda client: client.key_kind())

    def _run(self, call: Callable[[AsyncLaminar], Awaitable[T]]) -> T:
        async def run() -> T:
            async with self._create_client(deadline=work_deadline.remaining(self._deadline)) as client:
                return await call(client)

        with call_slots.take_slot():
            return _run_sync(run())


def _run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in another thread if this one already runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(contextvars.copy_context().run, asyncio.run, coroutine).result()
