"""The address of the client, also behind proxies that we trust."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# Whoever has one address of such a network has all of them.
_RANGE_BITS = {4: 24, 6: 64}


def get_address(request: HttpRequest) -> str:
    """Return the client's address in its usual spelling; empty for a Unix socket without proxies.

    Each trusted proxy adds the address of whoever connected to it at the end of `X-Forwarded-For`: with
    TRUSTED_PROXIES of 1 the last one counts. What is before it was sent by the client, who may have invented it.
    """
    peer = _parse(request.META.get("REMOTE_ADDR", ""))
    if settings.TRUSTED_PROXIES:
        hops = request.headers.get("X-Forwarded-For", "").split(",")[-settings.TRUSTED_PROXIES :]
        if len(hops) == settings.TRUSTED_PROXIES:
            peer = _parse(hops[0]) or peer
    return str(peer) if peer else ""


def get_range(address: str) -> str:
    """Return the network of an address: /24 of IPv4, /64 of IPv6."""
    bits = _RANGE_BITS[ip_address(address).version]
    return str(ip_network(f"{address}/{bits}", strict=False))


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    # Some proxies add the port.
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
