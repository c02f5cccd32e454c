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


def silent(connection: socket.socket) -> None:
    time.sleep(3)


@pytest.mark.parametrize(
    "act",
    [
        silent,
        respond_slowly(b"", b"H", 0.05),
        respond_slowly(HEAD, b" ", 0.05),
        respond_slowly(HEAD[:-2], b"X-A: b\r\n", 0.05),
    ],
    ids=["silent", "slow status", "slow body", "slow headers"],
)
def test_it_ends_at_its_deadline(act: Handler) -> None:
    began = time.monotonic()
    with run_server(act) as far, pytest.raises(TimedOut, match=r"within 0\.3 seconds") as caught:
        push(far.laminar(deadline=0.3))
    assert time.monotonic() - began < 1.5
    assert caught.value.retry is Retry.LATER


def test_it_bounds_both_requests_of_one_call() -> None:
    def act(connection: socket.socket) -> None:
        time.sleep(0.4)
        respond_with(b"", "404 Not Found")(connection)

    began = time.monotonic()
    with run_server(act) as far, pytest.raises(TimedOut):
        far.laminar(deadline=0.5).key_kind()
    assert time.monotonic() - began < 0.75


def test_it_ends_at_its_deadline_while_the_name_server_is_silent() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        await asyncio.sleep(10)
        return []

    laminar = Laminar("https://laminar.test", KEY, deadline=0.1, transport=PinnedTransport(resolve=resolve))
    with pytest.raises(TimedOut):
        push(laminar)


def test_it_refuses_an_endless_answer_to_a_push() -> None:
    with (
        run_server(respond_slowly(ENDLESS % b"200 OK", CHUNK, 0)) as far,
        pytest.raises(UnexpectedResponse, match="longer than 65536"),
    ):
        push(far.laminar(deadline=5))


def test_it_reads_an_endless_failure_no_further_than_needed() -> None:
    with run_server(respond_slowly(ENDLESS % b"500 No", CHUNK, 0)) as far, pytest.raises(ServerError):
        push(far.laminar(deadline=5))


def test_it_bounds_the_answer_to_a_query() -> None:
    body = b'{"data":[{"a":"' + b"x" * 1000 + b'"}]}'
    with run_server(respond_with(body)) as far:
        assert len(far.laminar(max_response_bytes=len(body)).query("SELECT a")) == 1
        with pytest.raises(UnexpectedResponse, match="ask for less"):
            far.laminar(max_response_bytes=len(body) - 1).query("SELECT a")


def hanging_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def resetting(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()


def breaking_off(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    hanging_up(connection)


def babbling(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


@pytest.mark.parametrize("act", [hanging_up, resetting, breaking_off, babbling])
def test_it_tells_a_broken_connection(act: Handler) -> None:
    with run_server(act) as far, pytest.raises(Unreachable, match="safe to send again") as caught:
        push(far.laminar())
    assert (caught.value.status, caught.value.retry) == (None, Retry.LATER)


def test_it_tells_that_nobody_listens() -> None:
    with run_server(respond_with()) as far:
        pass
    with pytest.raises(Unreachable, match="cannot be connected to"):
        push(far.laminar())


def test_it_reads_a_refusal_that_comes_before_the_body_was_sent() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def push_much() -> None:
        async with AsyncLaminar(base_url, KEY, allowed_hosts=["127.0.0.1"], deadline=5) as laminar:
            pushing = asyncio.create_task(laminar.push_metadata(uuid4(), {"a": "x" * 20_000_000}))
            connection = await asyncio.to_thread(lambda: listener.accept()[0])
            respond_with(b"", "413 Too Large", "Connection: close")(connection)
            connection.shutdown(socket.SHUT_WR)
            await asyncio.to_thread(drained, connection)
            await pushing

    with listener, pytest.raises(LaminarError) as caught:
        asyncio.run(push_much())
    assert caught.value.status == 413


def drained(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass
    connection.close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_it_does_not_take_the_key_elsewhere(status: str) -> None:
    with (
        run_server(respond_with()) as elsewhere,
        run_server(respond_with(b"", status, f"Location: {elsewhere.base_url}/x")) as far,
    ):
        with pytest.raises(LaminarError, match="points elsewhere"):
            push(far.laminar())
        assert (len(far.requests), elsewhere.connections) == (1, 0)


def test_it_ignores_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_server(respond_with()) as far, run_server(respond_with()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
        push(far.laminar())
        assert (len(far.requests), proxy.connections) == (1, 0)


def run_inside_a_loop(act: Callable[[], None]) -> None:
    async def inside() -> None:
        act()

    asyncio.run(inside())


def test_it_waits_inside_a_running_loop_too() -> None:
    with run_server(respond_with()) as far:
        run_inside_a_loop(lambda: push(far.laminar()))
    assert len(far.requests) == 1
