import asyncio
from uuid import UUID, uuid4

import pytest

from reviewapp.laminar import ServerError
from tests.laminar.local_server import LocalServer, respond_with, run_server

PROJECT = b'{"projectId":"b7ad6b71-6920-4333-8444-0af7651916cd"}'


async def push(far: LocalServer, *, times: int) -> None:
    async with far.async_laminar() as laminar:
        for _ in range(times):
            await laminar.push_metadata(uuid4(), {"a": 1})


def test_it_keeps_its_connection() -> None:
    with run_server(respond_with()) as far:
        asyncio.run(push(far, times=20))
    assert (far.connections, len(far.requests)) == (1, 20)


def test_it_keeps_its_connection_after_a_failure() -> None:
    async def fail_twice(far: LocalServer) -> None:
        async with far.async_laminar() as laminar:
            for _ in range(2):
                with pytest.raises(ServerError):
                    await laminar.push_metadata(uuid4(), {"a": 1})

    with run_server(respond_with(b"no", "503 Unavailable")) as far:
        asyncio.run(fail_twice(far))
    assert far.connections == 1


def test_it_pushes_at_the_same_time() -> None:
    async def push_many(far: LocalServer) -> None:
        async with far.async_laminar() as laminar:
            await asyncio.gather(*(laminar.push_metadata(uuid4(), {"a": 1}) for _ in range(50)))

    with run_server(respond_with()) as far:
        asyncio.run(push_many(far))
    assert len(far.requests) == 50


def test_it_goes_on_after_the_far_side_hung_up() -> None:
    async def push_after_a_pause(far: LocalServer) -> None:
        async with far.async_laminar() as laminar:
            for _ in range(3):
                await laminar.push_metadata(uuid4(), {"a": 1})
                await asyncio.sleep(0.05)

    def act(connection: object) -> None:
        respond_with(b"", "200 OK", "Connection: close")(connection)  # type: ignore[arg-type]

    with run_server(act) as far:
        asyncio.run(push_after_a_pause(far))
    assert far.connections == 3


def test_it_opens_a_connection_per_call_when_it_waits() -> None:
    with run_server(respond_with(PROJECT)) as far:
        laminar = far.laminar()
        assert laminar.project() == laminar.project() == UUID("b7ad6b71-6920-4333-8444-0af7651916cd")
    assert far.connections == 2
