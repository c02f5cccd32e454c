"""Send one webhook message, under the same guard as every other call: checked addresses, one deadline, no redirects."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import httpx

from reviewapp.laminar import http_calls, redaction, wire
from reviewapp.laminar.addresses import ConnectionPools, PinnedTransport, get_origin

# Shorter than a lease, so that no lease has to be renewed while a message is sent.
DEADLINE_SECONDS = 10.0
# How much of an answer is read, for a person to see, and for how many seconds.
MAX_ANSWER_BYTES = 4_096
ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """What an endpoint answered: the status, the beginning of the text safe to show, and the seconds it asked for."""

    status: int
    text: str
    retry_after: float | None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


async def post_message(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    allowed_hosts: Collection[str],
    deadline: float = DEADLINE_SECONDS,
) -> WebhookResponse:
    """POST a body to a normalized URL. Each call has connections and cookies of its own.

    Errors name the server only: the path of a URL can be a secret. Raises LaminarError without a response.
    """
    origin = get_origin(url)
    transport = PinnedTransport(allowed_hosts, inner=ConnectionPools(count=1))
    async with (
        http_calls.enforce_deadline(origin, deadline),
        http_calls.explain_errors(origin),
        http_calls.create_client(headers, transport) as client,
        client.stream("POST", url, content=body) as response,
    ):
        answer = b""
        # The status decides: a body that never ends must not make an accepted message a failed one.
        with contextlib.suppress(TimeoutError, httpx.TransportError, OSError):
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await http_calls.read_body(response, MAX_ANSWER_BYTES)
        retry_after = wire.parse_retry_after(response.headers.get("retry-after", ""))
        return WebhookResponse(response.status_code, redaction.display_body(answer, ""), retry_after)
