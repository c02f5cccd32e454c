"""What every HTTP call to another server has in common: its client, its deadline, and sentences for its failures.

Redirects are not followed, TLS is always verified, and names lead to checked addresses only (`addresses`).
"""

import asyncio
import contextlib
import importlib.metadata
import ssl
from collections.abc import AsyncIterator, Mapping

import httpx

from reviewapp.laminar import wire
from reviewapp.laminar.errors import LaminarError, TimedOut, Unreachable

CONNECT_TIMEOUT = 5.0


def create_client(headers: Mapping[str, str], transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """Return a client that sends these headers. Close it after use."""
    return httpx.AsyncClient(
        headers={
            # A small compressed response could unpack to any size.
            "Accept-Encoding": "identity",
            "User-Agent": f"reviewapp/{_version()}",
            **headers,
        },
        transport=transport,
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
        follow_redirects=False,
        trust_env=False,
    )


@contextlib.asynccontextmanager
async def enforce_deadline(server: str, seconds: float) -> AsyncIterator[None]:
    """End the calls in the block after `seconds`. Raises TimedOut, which names the server."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TimedOut(
            f"{server} sent no complete response within {seconds:.3g} seconds. Nothing is lost; try again later."
        ) from None


@contextlib.asynccontextmanager
async def explain_errors(server: str) -> AsyncIterator[None]:
    """Raise httpx's errors in the block as TimedOut or Unreachable, which name the server."""
    try:
        yield
    except httpx.TimeoutException:
        raise TimedOut(f"{server} did not respond in time. Nothing is lost; try again later.") from None
    except (httpx.TransportError, OSError) as error:
        raise _to_unreachable(server, error) from None


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of a response; none of a compressed one, which could unpack to any size."""
    body = bytearray()
    if not wire.is_encoded(response.headers):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


def _to_unreachable(server: str, error: Exception) -> LaminarError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"the certificate cannot be trusted ({cause.verify_message.rstrip('.')})"
            return Unreachable(f"Could not reach {server}: {reason}. Correct the URL or the certificate.")
        if isinstance(cause, ssl.SSLError):
            return Unreachable(f"Could not reach {server}: it does not speak TLS correctly. Check the URL.")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return Unreachable(f"Could not connect to {server}. Nothing is lost; check the URL, or try again later.")
    return Unreachable(f"{server} closed the connection before its response was complete. It is safe to send again.")


def _version() -> str:
    try:
        return importlib.metadata.version("reviewapp")
    except importlib.metadata.PackageNotFoundError:
        return "source"
