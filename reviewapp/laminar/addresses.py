"""Which servers a project's base URL may lead to: public ones, and those the operator names.

An admin types the base URL, so without this anyone who may edit a project could read the operator's network.
"""

import asyncio
import contextlib
import functools
import ipaddress
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Collection

import httpx

from reviewapp.laminar.errors import AddressRefused, LaminarError, Unreachable

Resolver = Callable[[str, int], Awaitable[list[str]]]

LONGEST_URL = 2000
SECONDS_PINNED = 10.0

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Written out, since Python's own idea of "global" includes cloud metadata and translated addresses.
_CLOSED_V4 = [
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
]
# The only block in public use: outside it lie loopback, private, link-local, multicast, IPv4 in IPv6 and NAT64.
_OPEN_V6 = ipaddress.IPv6Network("2000::/3")
# Inside it: Teredo and other protocol assignments, documentation, 6to4.
_CLOSED_V6 = [ipaddress.IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def normalize_base_url(text: str) -> str:
    """The one spelling of a base URL: no slash at the end, no default port. Raises AddressRefused."""
    text = text.strip()
    if len(text) > LONGEST_URL or not text.isprintable() or any(mark in text for mark in " \\?#"):
        raise AddressRefused("A base URL holds no spaces, backslashes, ? or #. Give one like https://api.lmnr.ai.")
    try:
        url = httpx.URL(text)
        host = url.host.rstrip(".")
        url = url.copy_with(host=host, raw_path=url.raw_path.rstrip(b"/") or b"/")
    except (httpx.InvalidURL, ValueError):
        raise AddressRefused("This is not a base URL. Give one like https://api.lmnr.ai.") from None
    if url.scheme not in _DEFAULT_PORTS or not host:
        raise AddressRefused("A base URL begins with https:// or http:// and a host name.")
    if url.userinfo:
        raise AddressRefused("A base URL holds no user name and no password. Give the key in its own field.")
    if url.port is not None and not 0 < url.port < 65536:
        raise AddressRefused("A port is a number from 1 to 65535.")
    return str(url).rstrip("/")


def check_address(base_url: str, allowed_hosts: Collection[str]) -> None:
    """Pass when `base_url` leads only to addresses that may be reached now.

    `allowed_hosts` holds `host:port`, or `host` for any port, spelled as in the URL.
    Raises AddressRefused; Unreachable when the name cannot be found.
    """
    host, port = _endpoint(httpx.URL(normalize_base_url(base_url)))
    _check(host, port, lookup(host, port), _names(allowed_hosts))


def lookup(host: str, port: int) -> list[str]:
    """The addresses of a host, in the system's order of preference. Raises Unreachable. Blocks."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"The name “{host}” cannot be found. Check the base URL, or try again later.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def resolve(host: str, port: int) -> list[str]:
    """`lookup` in a thread of its own: a name server that hangs holds up neither the caller nor its end."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str], error: LaminarError | None) -> None:
        if found.done():
            return
        if error:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def work() -> None:
        addresses: list[str] = []
        failure: LaminarError | None = None
        try:
            addresses = lookup(host, port)
        except LaminarError as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop ended before the name server answered
            loop.call_soon_threadsafe(settle, addresses, failure)

    threading.Thread(target=work, name="resolve", daemon=True).start()
    return await found


class Lanes(httpx.AsyncBaseTransport):
    """Several small pools of connections: one looks through all of its own at each request, so a large one is slow.

    A request goes where the fewest are under way, the first of those; so few requests keep to few connections.
    """

    def __init__(self, count: int = 4) -> None:
        self._lanes = [
            httpx.AsyncHTTPTransport(verify=_ssl_context(), trust_env=False, retries=0) for _ in range(count)
        ]
        self._under_way = [0] * count

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        at = self._under_way.index(min(self._under_way))
        self._under_way[at] += 1
        try:
            return await self._lanes[at].handle_async_request(request)
        finally:
            self._under_way[at] -= 1

    async def aclose(self) -> None:
        for lane in self._lanes:
            await lane.aclose()


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects only to addresses that were checked, so that a name cannot change its meaning in between.

    TLS and the Host header still go by the name. Addresses are looked up again after 10 seconds.
    """

    def __init__(
        self,
        allowed_hosts: Collection[str] = (),
        *,
        resolve: Resolver = resolve,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allowed = _names(allowed_hosts)
        self._resolve = resolve
        self._inner = inner or Lanes()
        self._pinned: dict[tuple[str, int], tuple[float, list[str]]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, port = _endpoint(request.url)
        failure: httpx.TransportError | None = None
        for address in await self._addresses(host, port):
            try:
                return await self._inner.handle_async_request(_to(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        self._pinned.pop((host, port), None)
        raise failure or Unreachable(f"The name “{host}” has no address. Check the base URL.")

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _addresses(self, host: str, port: int) -> list[str]:
        now = asyncio.get_running_loop().time()
        until, addresses = self._pinned.get((host, port), (0.0, []))
        if now >= until:
            addresses = await self._resolve(host, port)
            _check(host, port, addresses, self._allowed)
            self._pinned[host, port] = now + SECONDS_PINNED, addresses
        return addresses


def _to(request: httpx.Request, host: str, address: str) -> httpx.Request:
    """The same request to one address: nothing but the place to connect to changes."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def _endpoint(url: httpx.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme]


def _names(allowed_hosts: Collection[str]) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in allowed_hosts)


def _check(host: str, port: int, addresses: list[str], allowed: frozenset[str]) -> None:
    name = f"[{host}]" if ":" in host else host
    if allowed & {host, name, f"{name}:{port}"} or all(map(_is_public, addresses)):
        return
    raise AddressRefused(
        f"“{name}” leads to a private or reserved address, which is not reached from here. "
        f"If it is your own Laminar, ask the operator to allow “{name}:{port}”."
    )


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in block for block in _CLOSED_V4)
    return found in _OPEN_V6 and not any(found in block for block in _CLOSED_V6)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Public authorities, and those of the system: an operator's own authority is installed there. Slow to build."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
