import asyncio
import ssl
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from reviewapp.laminar import AsyncLaminar, Unreachable
from reviewapp.laminar.addresses import PinnedTransport
from tests.laminar.certificates import issue_certificate
from tests.laminar.local_server import KEY, LocalServer, respond_with, run_server


def push_by_name(server: LocalServer, name: str, trust: ssl.SSLContext) -> None:
    """Push to `name`, which resolves to the server's address."""
    inner = httpx.AsyncHTTPTransport(verify=trust)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def push() -> None:
        transport = PinnedTransport([name], resolve=resolve, inner=inner)
        async with AsyncLaminar(server.base_url.replace("127.0.0.1", name), KEY, transport=transport) as laminar:
            await laminar.push_metadata(uuid4(), {"a": 1})

    asyncio.run(push())


def test_it_verifies_the_name_at_a_pinned_address(tmp_path: Path) -> None:
    context, trust = issue_certificate(tmp_path, "laminar.test")
    with run_server(respond_with(), tls=context) as server:
        push_by_name(server, "laminar.test", trust)
    assert b"Host: laminar.test:" in server.requests[0]


def test_it_refuses_a_certificate_for_another_name(tmp_path: Path) -> None:
    context, trust = issue_certificate(tmp_path, "laminar.test")
    with (
        run_server(respond_with(), tls=context) as server,
        pytest.raises(Unreachable, match=r"certificate .*not valid for 'other.test'"),
    ):
        push_by_name(server, "other.test", trust)
    assert server.requests == []


def test_it_refuses_an_expired_certificate(tmp_path: Path) -> None:
    context, trust = issue_certificate(tmp_path, "laminar.test", days=-1)
    with run_server(respond_with(), tls=context) as server, pytest.raises(Unreachable, match="certificate has expired"):
        push_by_name(server, "laminar.test", trust)


def test_it_refuses_a_certificate_of_an_unknown_authority(tmp_path: Path) -> None:
    context, _ = issue_certificate(tmp_path, "127.0.0.1")
    with (
        run_server(respond_with(), tls=context) as server,
        pytest.raises(Unreachable, match="certificate cannot be trusted"),
    ):
        server.laminar().push_metadata(uuid4(), {"a": 1})
    assert server.requests == []


def test_it_refuses_a_server_without_tls() -> None:
    with run_server(respond_with(b"", "400 Bad Request")) as server:
        server.base_url = server.base_url.replace("http:", "https:")
        with pytest.raises(Unreachable, match="does not speak TLS"):
            server.laminar().push_metadata(uuid4(), {"a": 1})
