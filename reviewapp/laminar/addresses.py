"""Restrict which servers a project's base URL may lead to: public ones, and those that the operator allows.

An admin types the base URL, so without this check any admin could reach the operator's private network.
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

from reviewapp.laminar.errors import AddressRefused, LaminarError, MetadataServiceRefused, Unreachable

Resolver = Callable[[str, int], Awaitable[list[str]]]

MAX_URL_LENGTH = 2000
PIN_SECONDS = 10.0

_DEFAULT_PORTS = {"http": 80, "https": 443}
# The usual ones, and those on which a Laminar listens unless its operator changed it.
_LAMINAR_PORTS = {80, 443, 8000, 8443}
# Cloud services that hand out credentials to whoever asks from inside; they are never Laminar, even if they are named.
_METADATA_SERVICES = [
    ipaddress.ip_network(block)
    for block in (
        "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32",
        "fd20:ce::254/128", "fe80::a9fe:a9fe/128",
    )
]  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Listed here because Python's `is_global` includes cloud metadata services and translated addresses.
_RESERVED_V4 = [
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
# The only block in public use. Outside it: loopback, private, link-local, multicast, IPv4 in IPv6, and NAT64.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
# Inside it: Teredo and other protocol assignments, documentation, 6to4.
_RESERVED_V6 = [ipaddress.IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def normalize_base_url(text: str) -> str:
    """Normalize a base URL: no trailing slash, no default port. Raises AddressRefused."""
    text = text.strip()
    if _is_unusable(text, " \\?#"):
        raise AddressRefused("A base URL cannot have spaces, backslashes, ? or #. Enter one like https://api.lmnr.ai.")
    url = _parse_url(text, "base URL", "https://api.lmnr.ai")
    return str(url.copy_with(raw_path=url.raw_path.rstrip(b"/") or b"/")).rstrip("/")


def normalize_webhook_url(text: str) -> str:
    """Normalize the URL of a webhook, which may have a query: no default port. Raises AddressRefused."""
    text = text.strip()
    if _is_unusable(text, " \\#"):
        raise AddressRefused(
            f"A webhook URL has up to {MAX_URL_LENGTH:,} characters, without spaces, backslashes or #."
            " Enter one like https://example.com/hooks."
        )
    url = str(_parse_url(text, "webhook URL", "https://example.com/hooks"))
    # Characters outside ASCII are longer in the URL than as typed.
    if len(url) > MAX_URL_LENGTH:
        raise AddressRefused(f"A webhook URL has up to {MAX_URL_LENGTH:,} characters. Enter a shorter one.")
    return url


def get_origin(url: str) -> str:
    """The scheme, host and port of a normalized URL: what may be shown to all and written to logs."""
    return str(httpx.URL(url).copy_with(raw_path=b"/")).rstrip("/")


def _is_unusable(text: str, banned: str) -> bool:
    return len(text) > MAX_URL_LENGTH or not text.isprintable() or any(char in text for char in banned)


def _parse_url(text: str, noun: str, example: str) -> httpx.URL:
    """Parse the URL of a server. Raises AddressRefused, in words for a URL of this kind."""
    try:
        url = httpx.URL(text)
        host = url.host.rstrip(".")
        url = url.copy_with(host=host)
    except (httpx.InvalidURL, ValueError):
        raise AddressRefused(f"This is not a {noun}. Enter one like {example}.") from None
    if url.scheme not in _DEFAULT_PORTS or not host:
        raise AddressRefused(f"A {noun} starts with https:// or http:// and a host name.")
    if url.userinfo:
        raise AddressRefused(f"A {noun} cannot have a user name or password. Enter the key in its own field.")
    if url.port is not None and not 0 < url.port < 65536:
        raise AddressRefused("A port is a number from 1 to 65535.")
    return url


def check_address(base_url: str, allowed_hosts: Collection[str]) -> None:
    """Check that `base_url` currently leads only to allowed addresses.

    `allowed_hosts` are `host:port`, or `host` for any port, spelled as in the URL: hosts that the operator names. Only
    these may have a private address, use http or another port than Laminar's. No host may be a metadata service.
    Raises AddressRefused, or Unreachable if the name cannot be found.
    """
    url = httpx.URL(normalize_base_url(base_url))
    host, port = _endpoint(url)
    _check_addresses(url.scheme, host, port, resolve_blocking(host, port), _normalize_hosts(allowed_hosts))


def resolve_blocking(host: str, port: int) -> list[str]:
    """Return a host's addresses in the system's order of preference. Raises Unreachable. Blocks."""
    try:
        results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"The name “{host}” could not be found. Check the URL, or try again later.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in results))


async def resolve(host: str, port: int) -> list[str]:
    """Run `resolve_blocking` in its own thread, so that a name server that hangs does not block the event loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[str]] = loop.create_future()

    def set_result(addresses: list[str], error: LaminarError | None) -> None:
        if future.done():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(addresses)

    def run() -> None:
        addresses: list[str] = []
        error: LaminarError | None = None
        try:
            addresses = resolve_blocking(host, port)
        except LaminarError as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop was closed before the name server answered
            loop.call_soon_threadsafe(set_result, addresses, error)

    threading.Thread(target=run, name="resolve", daemon=True).start()
    return await future


class ConnectionPools(httpx.AsyncBaseTransport):
    """Several small connection pools: a pool scans all its connections for each request, so a large one is slow.

    A request goes to the first of the least busy pools, so that few requests use few connections.
    """

    def __init__(self, count: int = 4) -> None:
        self._pools = [
            httpx.AsyncHTTPTransport(verify=_ssl_context(), trust_env=False, retries=0) for _ in range(count)
        ]
        self._active = [0] * count

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pool_index = self._active.index(min(self._active))
        self._active[pool_index] += 1
        try:
            return await self._pools[pool_index].handle_async_request(request)
        finally:
            self._active[pool_index] -= 1

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects only to addresses that were checked, so that a name cannot resolve differently in between.

    TLS and the Host header still use the name. Names are resolved again after 10 seconds.
    """

    def __init__(
        self,
        allowed_hosts: Collection[str] = (),
        *,
        resolve: Resolver = resolve,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allowed_hosts = _normalize_hosts(allowed_hosts)
        self._resolve = resolve
        self._inner = inner or ConnectionPools()
        self._pinned: dict[tuple[str, str, int], tuple[float, list[str]]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        scheme, (host, port) = request.url.scheme, _endpoint(request.url)
        failure: httpx.TransportError | None = None
        for address in await self._get_addresses(scheme, host, port):
            try:
                return await self._inner.handle_async_request(_with_address(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        self._pinned.pop((scheme, host, port), None)
        raise failure or Unreachable(f"The name “{host}” has no address. Check the URL.")

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _get_addresses(self, scheme: str, host: str, port: int) -> list[str]:
        now = asyncio.get_running_loop().time()
        expires_at, addresses = self._pinned.get((scheme, host, port), (0.0, []))
        if now >= expires_at:
            addresses = await self._resolve(host, port)
            _check_addresses(scheme, host, port, addresses, self._allowed_hosts)
            self._pinned[scheme, host, port] = now + PIN_SECONDS, addresses
        return addresses


def _with_address(request: httpx.Request, host: str, address: str) -> httpx.Request:
    """Return the same request for one address. Only the address to connect to changes."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def _endpoint(url: httpx.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme]


def _normalize_hosts(allowed_hosts: Collection[str]) -> frozenset[str]:
    return frozenset(host.strip().lower() for host in allowed_hosts)


def _check_addresses(scheme: str, host: str, port: int, addresses: list[str], allowed_hosts: frozenset[str]) -> None:
    name = f"[{host}]" if ":" in host else host
    if any(map(_is_metadata_service, addresses)):
        raise MetadataServiceRefused(
            f"“{name}” leads to a cloud metadata service, a private or reserved address that is never allowed."
            " Enter the address of your Laminar."
        )
    if allowed_hosts & {host, name, f"{name}:{port}"}:
        return
    if not all(map(_is_public, addresses)):
        raise AddressRefused(
            f"“{name}” leads to a private or reserved address, which is not allowed. "
            f"If this is your own server, ask the operator to allow “{name}:{port}”."
        )
    if port not in _LAMINAR_PORTS:
        raise AddressRefused(
            f"Port {port} is not one of the usual ones. If your server listens there, ask the operator to allow"
            f" “{name}:{port}”."
        )
    if scheme == "http" and addresses:
        raise AddressRefused(
            "This base URL starts with http://, so that anyone on the way could read the key. Use https://. If your"
            f" Laminar has no TLS, ask the operator to allow “{name}:{port}”."
        )


def _is_metadata_service(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        translated = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        ip = ip.ipv4_mapped or ip.sixtofour or translated or ip
    return any(ip.version == block.version and ip in block for block in _METADATA_SERVICES)


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in block for block in _RESERVED_V4)
    return ip in _PUBLIC_V6 and not any(ip in block for block in _RESERVED_V6)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Trust public authorities and the system's, where an operator can install their own. Slow to build, so cached."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
