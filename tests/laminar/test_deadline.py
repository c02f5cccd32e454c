import asyncio
import socket
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from reviewapp.laminar import (
    AsyncLaminar,
    Laminar,
    LaminarError,
    Retry,
    ServerError,
    TimedOut,
    UnexpectedResponse,
    Unreachable,
)
from reviewapp.laminar.addresses import PinnedTransport
from tests.laminar.local_server import KEY, Handler, respond_slowly, respond_with, run_server

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
ENDLESS = b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b" " * 65536 + b"\r\n"


def push(laminar: Laminar) -> None:
    laminar.push_metadata(uuid4(), {"a": 1})


def stay_silent(connection: socket.socket) -> None:
    time.sleep(3)


@pytest.mark.parametrize(
    "handler",
    [
        stay_silent,
        respond_slowly(b"", b"H", 0.05),
        respond_slowly(HEAD, b" ", 0.05),
        respond_slowly(HEAD[:-2], b"X-A: b\r\n", 0.05),
    ],
    ids=["silent", "slow status", "slow body", "slow headers"],
)
def test_it_ends_at_its_deadline(handler: Handler) -> None:
    started_at = time.monotonic()
    with run_server(handler) as server, pytest.raises(TimedOut, match=r"within 0\.3 seconds") as caught:
        push(server.laminar(deadline=0.3))
    assert time.monotonic() - started_at < 1.5
    assert caught.value.retry is Retry.LATER


def test_it_ends_a_call_of_two_requests_at_its_deadline() -> None:
    def respond_late(connection: socket.socket) -> None:
        time.sleep(0.4)
        respond_with(b"", "404 Not Found")(connection)

    started_at = time.monotonic()
    with run_server(respond_late) as server, pytest.raises(TimedOut):
        server.laminar(deadline=0.5).key_kind()
    assert time.monotonic() - started_at < 0.75


def test_it_ends_at_its_deadline_when_the_name_server_is_silent() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        await asyncio.sleep(10)
        return []

    laminar = Laminar("https://laminar.test", KEY, deadline=0.1, transport=PinnedTransport(resolve=resolve))
    with pytest.raises(TimedOut):
        push(laminar)


def test_it_refuses_an_endless_response_to_a_push() -> None:
    with (
        run_server(respond_slowly(ENDLESS % b"200 OK", CHUNK, 0)) as server,
        pytest.raises(UnexpectedResponse, match="longer than 65536"),
    ):
        push(server.laminar(deadline=5))


def test_it_reads_only_the_start_of_an_endless_error() -> None:
    with run_server(respond_slowly(ENDLESS % b"500 No", CHUNK, 0)) as server, pytest.raises(ServerError):
        push(server.laminar(deadline=5))


def test_it_refuses_a_query_response_that_is_too_long() -> None:
    body = b'{"data":[{"a":"' + b"x" * 1000 + b'"}]}'
    with run_server(respond_with(body)) as server:
        assert len(server.laminar(max_response_bytes=len(body)).query("SELECT a")) == 1
        with pytest.raises(UnexpectedResponse, match="request fewer rows"):
            server.laminar(max_response_bytes=len(body) - 1).query("SELECT a")


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()


def break_off(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    hang_up(connection)


def send_another_protocol(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


@pytest.mark.parametrize("handler", [hang_up, reset, break_off, send_another_protocol])
def test_it_reports_a_broken_connection(handler: Handler) -> None:
    with run_server(handler) as server, pytest.raises(Unreachable, match="safe to send again") as caught:
        push(server.laminar())
    assert (caught.value.status, caught.value.retry) == (None, Retry.LATER)


def test_it_reports_a_server_that_does_not_run() -> None:
    with run_server(respond_with()) as server:
        pass
    with pytest.raises(Unreachable, match="Could not connect to"):
        push(server.laminar())


def test_it_reads_a_refusal_sent_before_the_end_of_the_request() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def push_large_body() -> None:
        async with AsyncLaminar(base_url, KEY, allowed_hosts=["127.0.0.1"], deadline=5) as laminar:
            task = asyncio.create_task(laminar.push_metadata(uuid4(), {"a": "x" * 20_000_000}))
            connection = await asyncio.to_thread(lambda: listener.accept()[0])
            respond_with(b"", "413 Too Large", "Connection: close")(connection)
            connection.shutdown(socket.SHUT_WR)
            await asyncio.to_thread(drain, connection)
            await task

    with listener, pytest.raises(LaminarError) as caught:
        asyncio.run(push_large_body())
    assert caught.value.status == 413


def drain(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass
    connection.close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_it_does_not_follow_a_redirect_with_the_key(status: str) -> None:
    with (
        run_server(respond_with()) as elsewhere,
        run_server(respond_with(b"", status, f"Location: {elsewhere.base_url}/x")) as server,
    ):
        with pytest.raises(LaminarError, match="redirects to another address"):
            push(server.laminar())
        assert (len(server.requests), elsewhere.connections) == (1, 0)


def test_it_ignores_a_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_server(respond_with()) as server, run_server(respond_with()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
        push(server.laminar())
        assert (len(server.requests), proxy.connections) == (1, 0)


def run_in_event_loop(function: Callable[[], None]) -> None:
    async def run() -> None:
        function()

    asyncio.run(run())


def test_it_works_inside_a_running_event_loop() -> None:
    with run_server(respond_with()) as server:
        run_in_event_loop(lambda: push(server.laminar()))
    assert len(server.requests) == 1
