import asyncio
from uuid import UUID, uuid4

import pytest

from reviewapp.laminar import ServerError
from tests.laminar.local_server import LocalServer, respond_with, run_server

PROJECT = b'{"projectId":"b7ad6b71-6920-4333-8444-0af7651916cd"}'


async def push(server: LocalServer, *, times: int) -> None:
    async with server.async_laminar() as laminar:
        for _ in range(times):
            await laminar.push_metadata(uuid4(), {"a": 1})


def test_it_reuses_its_connection() -> None:
    with run_server(respond_with()) as server:
        asyncio.run(push(server, times=20))
    assert (server.connections, len(server.requests)) == (1, 20)


def test_it_reuses_its_connection_after_an_error() -> None:
    async def fail_twice(server: LocalServer) -> None:
        async with server.async_laminar() as laminar:
            for _ in range(2):
                with pytest.raises(ServerError):
                    await laminar.push_metadata(uuid4(), {"a": 1})

    with run_server(respond_with(b"no", "503 Unavailable")) as server:
        asyncio.run(fail_twice(server))
    assert server.connections == 1


def test_it_pushes_concurrently() -> None:
    async def push_many(server: LocalServer) -> None:
        async with server.async_laminar() as laminar:
            await asyncio.gather(*(laminar.push_metadata(uuid4(), {"a": 1}) for _ in range(50)))

    with run_server(respond_with()) as server:
        asyncio.run(push_many(server))
    assert len(server.requests) == 50


def test_it_reconnects_when_the_server_closed_the_connection() -> None:
    async def push_with_pauses(server: LocalServer) -> None:
        async with server.async_laminar() as laminar:
            for _ in range(3):
                await laminar.push_metadata(uuid4(), {"a": 1})
                await asyncio.sleep(0.05)

    def respond_and_close(connection: object) -> None:
        respond_with(b"", "200 OK", "Connection: close")(connection)  # type: ignore[arg-type]

    with run_server(respond_and_close) as server:
        asyncio.run(push_with_pauses(server))
    assert server.connections == 3


def test_it_opens_a_connection_per_call_when_synchronous() -> None:
    with run_server(respond_with(PROJECT)) as server:
        laminar = server.laminar()
        assert laminar.project() == laminar.project() == UUID("b7ad6b71-6920-4333-8444-0af7651916cd")
    assert server.connections == 2
