"""Laminar's clients: `AsyncLaminar` for the worker, `Laminar` for web pages and commands.

Every method raises LaminarError, whose `retry` tells whether another try makes sense. No redirect is followed,
TLS is always verified, and one deadline bounds a whole call, also against a server that sends a byte a second.
"""

import asyncio
import contextlib
import contextvars
import importlib.metadata
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from uuid import UUID, uuid4

import httpx

from reviewapp.laminar import paging, rows, wire
from reviewapp.laminar.addresses import PinnedTransport, normalize_base_url
from reviewapp.laminar.errors import (
    EndpointNotFound,
    LaminarError,
    TimedOut,
    TraceNotFound,
    UnexpectedResponse,
    Unreachable,
)
from reviewapp.laminar.rows import SpanRow, TraceRow

T = TypeVar("T")

DEADLINE_SECONDS = 30.0
SECONDS_TO_CONNECT = 5.0

KeyKind = Literal["full", "ingest-only"]


class AsyncLaminar:
    """One project of one Laminar, over pooled connections. Use it with `async with`.

    `deadline` is in seconds, `max_response_bytes` in bytes and bounds a query's answer. A given `transport` takes the
    place of the one that checks addresses.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        allowed_hosts: Collection[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE_SECONDS,
        max_response_bytes: int = wire.LONG_ANSWER,
    ) -> None:
        self.base_url = normalize_base_url(base_url)
        self._key = wire.sendable(key)
        self._deadline = deadline
        self._max_response_bytes = max_response_bytes
        self._http = httpx.AsyncClient(
            headers={
                "Authorization": f"Bearer {self._key}",
                "Accept": "application/json",
                # A small compressed answer could unpack to any size.
                "Accept-Encoding": "identity",
                "User-Agent": f"reviewapp/{_version()}",
            },
            transport=transport or PinnedTransport(allowed_hosts),
            timeout=httpx.Timeout(None, connect=SECONDS_TO_CONNECT),
            follow_redirects=False,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._http.aclose()

    async def push_metadata(self, trace_id: UUID, metadata: Mapping[str, Any]) -> None:
        """Merge top-level keys into a trace's metadata. Returning means queued there, not yet applied."""
        call = wire.metadata_patch(trace_id, metadata)
        wire.accepted(await self._send(call), call)

    async def tag(self, names: Sequence[str], *, trace_id: UUID | None = None, span_id: UUID | None = None) -> None:
        """Add tags to a span, or to a trace's top span. Needs a full key."""
        call = wire.tag(names, trace_id, span_id)
        wire.accepted(await self._send(call), call)

    async def project(self) -> UUID:
        """The id of the key's project. Needs a full key."""
        call = wire.project()
        return wire.project_id(await self._send(call), call)

    async def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows that a SELECT finds; `{name:Type}` in it stands for a parameter. Needs a full key."""
        call = wire.query(sql, parameters or {}, self._max_response_bytes)
        return wire.data(await self._send(call), call)

    async def traces(self, ids: Sequence[UUID]) -> list[TraceRow]:
        """The traces of `ids` that Laminar shows, in no order."""
        return [rows.parse_trace_row(row) for row in await self._by_id(ids, "*")]

    async def fetch_metadata(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """The metadata of those of `ids` that Laminar shows, as in TraceRow: no other column can spoil the answer."""
        return dict([rows.metadata_row(row) for row in await self._by_id(ids, "id, metadata")])

    async def find_traces(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> list[TraceRow]:
        """The newest traces whose metadata has all of `pairs`, by the equality of Laminar's trace list.

        `("k", "1")` finds 1 and "1"; `("k", '"1"')` finds only the text. Starts from `since` on and before `until`.
        """
        found = await self.query(*wire.traces_matching(pairs, since, until, limit))
        return [rows.parse_trace_row(row) for row in found]

    def span_pages(self, trace_id: UUID, max_spans: int) -> AsyncIterator[list[SpanRow]]:
        """A trace's first `most` spans in pages, oldest first."""
        return paging.span_pages(self.query, trace_id, max_spans)

    async def key_kind(self) -> KeyKind:
        """Whether the key may read ("full") or only write. Writes nothing."""
        async with self._in_time():
            try:
                await self.project()
                return "full"
            except EndpointNotFound as error:
                if error.status != 404 or error.response_text:
                    raise
            # Laminar hides what such a key may not do behind a blank 404; so does an older or a foreign server.
            try:
                await self.push_metadata(uuid4(), {"review.probe": True})
            except TraceNotFound:
                return "ingest-only"
        raise UnexpectedResponse("The server took metadata for a trace that cannot be. Check the base URL.", status=200)

    async def _by_id(self, ids: Sequence[UUID], columns: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with self._in_time():
            for at in range(0, len(ids), wire.IDS_PER_QUERY):
                found += await self.query(*wire.traces(ids[at : at + wire.IDS_PER_QUERY], columns))
        return found

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline):
                yield
        except TimeoutError:
            raise TimedOut(
                f"{self.base_url} gave no complete answer within {self._deadline:g} seconds. "
                "Nothing is lost; try again later."
            ) from None

    async def _send(self, call: wire.Call) -> wire.Answer:
        async with self._in_time():
            try:
                return await self._exchange(call)
            except httpx.TimeoutException:
                raise TimedOut(f"{self.base_url} did not respond in time. Nothing is lost; try again later.") from None
            except (httpx.TransportError, OSError) as error:
                raise _unreachable(self.base_url, error) from None

    async def _exchange(self, call: wire.Call) -> wire.Answer:
        headers = {"Content-Type": "application/json"} if call.body else {}
        content = call.body.encode() if call.body else None
        url = self.base_url + call.path
        async with self._http.stream(call.method, url, content=content, headers=headers) as response:
            longest = call.longest if response.status_code == 200 else wire.SHORT_ANSWER
            body = await _body(response, longest + 1)
            return wire.answer(
                response.status_code, response.headers, body[:longest], is_cut=len(body) > longest, key=self._key
            )


class Laminar:
    """The same calls for code that waits: each opens its connection anew and closes it."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        allowed_hosts: Collection[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE_SECONDS,
        max_response_bytes: int = wire.LONG_ANSWER,
    ) -> None:
        address, word = normalize_base_url(base_url), wire.sendable(key)
        self.base_url = address
        options: dict[str, Any] = {"deadline": deadline, "max_response_bytes": max_response_bytes}
        self._open = partial(AsyncLaminar, address, word, allowed_hosts=allowed_hosts, transport=transport, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def push_metadata(self, trace_id: UUID, metadata: Mapping[str, Any]) -> None:
        """As AsyncLaminar.push_metadata."""
        self._run(lambda client: client.push_metadata(trace_id, metadata))

    def tag(self, names: Sequence[str], *, trace_id: UUID | None = None, span_id: UUID | None = None) -> None:
        """As AsyncLaminar.tag."""
        self._run(lambda client: client.tag(names, trace_id=trace_id, span_id=span_id))

    def project(self) -> UUID:
        """As AsyncLaminar.project."""
        return self._run(lambda client: client.project())

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """As AsyncLaminar.query."""
        return self._run(lambda client: client.query(sql, parameters))

    def traces(self, ids: Sequence[UUID]) -> list[TraceRow]:
        """As AsyncLaminar.traces."""
        return self._run(lambda client: client.traces(ids))

    def fetch_metadata(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """As AsyncLaminar.metadata_of."""
        return self._run(lambda client: client.fetch_metadata(ids))

    def find_traces(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> list[TraceRow]:
        """As AsyncLaminar.traces_matching."""
        return self._run(lambda client: client.find_traces(pairs, since=since, until=until, limit=limit))

    def key_kind(self) -> KeyKind:
        """As AsyncLaminar.key_kind."""
        return self._run(lambda client: client.key_kind())

    def _run(self, act: Callable[[AsyncLaminar], Awaitable[T]]) -> T:
        async def work() -> T:
            async with self._open() as client:
                return await act(client)

        return _wait_for(work())


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(contextvars.copy_context().run, asyncio.run, work).result()


async def _body(response: httpx.Response, longest: int) -> bytes:
    body = bytearray()
    if not wire.is_encoded(response.headers):
        async for part in response.aiter_bytes():
            body += part
            if len(body) >= longest:
                break
    return bytes(body[:longest])


def _unreachable(base_url: str, error: Exception) -> LaminarError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"the certificate cannot be trusted ({cause.verify_message.rstrip('.')})"
            return Unreachable(f"{base_url} is not reached: {reason}. Correct the base URL or the certificate.")
        if isinstance(cause, ssl.SSLError):
            return Unreachable(f"{base_url} is not reached: it does not speak TLS as it should. Check the base URL.")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return Unreachable(f"{base_url} cannot be connected to. Nothing is lost; check it, or try again later.")
    return Unreachable(f"{base_url} broke the connection before its answer was complete. It is safe to send again.")


def _version() -> str:
    try:
        return importlib.metadata.version("reviewapp")
    except importlib.metadata.PackageNotFoundError:
        return "source"
