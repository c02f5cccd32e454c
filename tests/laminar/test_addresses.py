import asyncio
from uuid import uuid4

import httpx
import pytest

from reviewapp.laminar import (
    AddressRefused,
    AsyncLaminar,
    Laminar,
    MetadataServiceRefused,
    Retry,
    Unreachable,
    check_address,
    normalize_base_url,
)
from reviewapp.laminar.addresses import PinnedTransport, Resolver
from tests.laminar.local_server import KEY, respond_with, run_server

PUBLIC = "8.8.8.8"
PRIVATE = """
127.0.0.1 127.1 0x7f.1 2130706433 017700000001 localhost LOCALHOST. 0.0.0.0 0 127.255.255.254
10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.100.100.200 169.254.169.254 168.63.129.16
192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
240.0.0.1 255.255.255.255
[::1] [::] [::ffff:127.0.0.1] [::ffff:8.8.8.8] [::ffff:a00:1] [::127.0.0.1] [::8.8.8.8] [2002:7f00:1::] [2002:808:808::]
[2001::1] [2001:0:4136:e378::1] [64:ff9b::7f00:1] [64:ff9b::808:808] [64:ff9b:1::1] [fc00::1] [fd00:ec2::254]
[fe80::1] [fec0::1] [ff02::1] [100::1] [2001:db8::1] [3fff::1] [5f00::1] [4000::1]
"""


@pytest.mark.parametrize("host", PRIVATE.split())
def test_it_refuses_an_address_that_is_not_public(host: str) -> None:
    with pytest.raises(AddressRefused, match="private or reserved"):
        check_address(f"http://{host}:8000", [])


@pytest.mark.parametrize(
    "host", [PUBLIC, "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "[2606:4700:4700::1111]"]
)
def test_it_accepts_a_public_address(host: str) -> None:
    check_address(f"https://{host}", [])


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/sub", "127.0.0.1"),
        ("http://LocalHost:8000", "localhost:8000"),
        ("http://localhost", "localhost:80"),
        ("https://10.0.0.1", "10.0.0.1:443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_it_accepts_a_host_that_the_operator_allows(url: str, allowed: str) -> None:
    check_address(url, ["other", allowed])


@pytest.mark.parametrize("allowed", ["localhost:8001", "127.0.0.1:8000", "host", "ocalhost:8000", "*", ""])
def test_it_refuses_a_host_that_the_operator_does_not_allow(allowed: str) -> None:
    with pytest.raises(AddressRefused, match="localhost:8000") as caught:
        check_address("http://localhost:8000", [allowed])
    assert caught.value.retry is Retry.AFTER_KEY


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "x" * 70, "%31"])
def test_it_refuses_an_unknown_name(host: str) -> None:
    with pytest.raises(Unreachable, match="could not be found"):
        check_address(f"https://{host}", [])


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (" https://api.lmnr.ai/ ", "https://api.lmnr.ai"),
        ("HTTPS://API.LMNR.AI:443", "https://api.lmnr.ai"),
        ("http://localhost:8000//", "http://localhost:8000"),
        ("https://host.test/laminar/", "https://host.test/laminar"),
        ("https://host.test.", "https://host.test"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://bücher.test", "https://xn--bcher-kva.test"),
    ],
)
def test_it_normalizes_a_base_url(text: str, normal: str) -> None:
    assert normalize_base_url(text) == normal
    assert normalize_base_url(normal) == normal


MALFORMED = """
api.lmnr.ai ftp://h file:///etc/passwd https:// https://u:p@h https://u@h https://h?a https://h#a https://h\\@x
https://h:0 https://h:65536 https://h:x https://0177.0.0.1 https://[::1 javascript:alert(1) https://.
"""


@pytest.mark.parametrize("text", [*MALFORMED.split(), "", "https://h x", "https://h\nHost: x", "https://" + "h" * 3000])
def test_it_refuses_a_malformed_base_url(text: str) -> None:
    with pytest.raises(AddressRefused):
        normalize_base_url(text)


def test_it_refuses_digits_of_another_script() -> None:
    with pytest.raises(AddressRefused):
        normalize_base_url("https://\uff11\uff12\uff17.0.0.1")


def resolver_of(*answers: list[str]) -> Resolver:
    """A resolver that returns these addresses, one list per call."""
    remaining = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return remaining.pop(0)

    return resolve


def test_it_refuses_to_send_the_key_to_a_private_address() -> None:
    with run_server(respond_with()) as server, pytest.raises(AddressRefused):
        Laminar(server.base_url, KEY).push_metadata(uuid4(), {"a": 1})
    assert server.connections == 0


async def push_twice(resolve: Resolver, refused_address: str = "") -> list[tuple[str, str, object]]:
    """Push twice. Returns the address, Host header and TLS server name of each request."""
    requests: list[tuple[str, str, object]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
        if request.url.host == refused_address:
            raise httpx.ConnectError("refused")
        return httpx.Response(200)

    transport = PinnedTransport(resolve=resolve, inner=httpx.MockTransport(handler))
    async with AsyncLaminar("https://laminar.test", KEY, transport=transport) as laminar:
        await laminar.push_metadata(uuid4(), {"a": 1})
        await laminar.push_metadata(uuid4(), {"a": 1})
    return requests


def test_it_connects_to_the_address_it_checked() -> None:
    requests = asyncio.run(push_twice(resolver_of([PUBLIC])))
    assert requests == [(PUBLIC, "laminar.test", "laminar.test")] * 2


def test_it_tries_the_next_address_when_one_refuses() -> None:
    requests = asyncio.run(push_twice(resolver_of([PUBLIC, "1.1.1.1"]), refused_address=PUBLIC))
    assert [host for host, *_ in requests] == [PUBLIC, "1.1.1.1"] * 2


@pytest.mark.parametrize("addresses", [["10.0.0.1"], [PUBLIC, "10.0.0.1"], [PUBLIC, "::1"], ["fe80::1%eth0"]])
def test_it_refuses_a_name_when_one_of_its_addresses_is_private(addresses: list[str]) -> None:
    with pytest.raises(AddressRefused):
        asyncio.run(push_twice(resolver_of(addresses)))


def test_it_refuses_a_name_without_an_address() -> None:
    with pytest.raises(Unreachable, match="no address"):
        asyncio.run(push_twice(resolver_of([])))


def test_it_checks_again_when_a_name_changes_its_address() -> None:
    transport = PinnedTransport(
        resolve=resolver_of([PUBLIC], ["127.0.0.1"]), inner=httpx.MockTransport(refuse_connection)
    )

    async def push_until_refused() -> None:
        async with AsyncLaminar("https://laminar.test", KEY, transport=transport) as laminar:
            with pytest.raises(Unreachable):
                await laminar.push_metadata(uuid4(), {"a": 1})
            await laminar.push_metadata(uuid4(), {"a": 1})

    with pytest.raises(AddressRefused):
        asyncio.run(push_until_refused())


def refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize("url", ["http://8.8.8.8", "http://8.8.8.8:8000", "http://[2606:4700:4700::1111]"])
def test_it_refuses_http_to_a_public_address(url: str) -> None:
    with pytest.raises(AddressRefused, match="https://"):
        check_address(url, ["8.8.8.8:1"])


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 6379, 8080, 9200, 65535])
def test_it_refuses_a_port_that_is_not_laminars(port: int) -> None:
    with pytest.raises(AddressRefused, match=f"Port {port} is not"):
        check_address(f"https://{PUBLIC}:{port}", [])


@pytest.mark.parametrize("url", [f"http://{PUBLIC}", f"http://{PUBLIC}:22", f"https://{PUBLIC}:9000"])
def test_it_accepts_http_and_any_port_of_a_host_that_the_operator_allows(url: str) -> None:
    check_address(url, [PUBLIC])


METADATA_SERVICES = """
169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe
2002:a9fe:a9fe::1 fd20:ce::254
"""


@pytest.mark.parametrize("address", METADATA_SERVICES.split())
def test_it_refuses_a_metadata_service_behind_an_allowed_name(address: str) -> None:
    transport = PinnedTransport(
        ["laminar.test"], resolve=resolver_of([PUBLIC, address]), inner=httpx.MockTransport(refuse_connection)
    )

    async def push() -> None:
        async with AsyncLaminar("https://laminar.test", KEY, transport=transport) as laminar:
            await laminar.push_metadata(uuid4(), {"a": 1})

    with pytest.raises(MetadataServiceRefused):
        asyncio.run(push())


def test_it_refuses_a_metadata_service_that_the_operator_allows() -> None:
    with pytest.raises(MetadataServiceRefused):
        check_address("http://169.254.169.254", ["169.254.169.254"])
