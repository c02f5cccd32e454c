"""Send webhook messages: few at once to each endpoint, beside the pushes and without waiting for them."""

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async
from django.conf import settings

from reviewapp.keys.encryption import DecryptionError
from reviewapp.laminar import LaminarError, WebhookResponse, post_message
from reviewapp.lib import clock, failpoints
from reviewapp.webhooks import leasing, results, signing
from reviewapp.webhooks.models import WebhookMessage
from reviewapp.webhooks.results import SendResult

log = logging.getLogger(__name__)

MAX_SENDING = 128
LEASE_EXPIRED_MESSAGE = "Not sent: the worker was delayed and its lease expired. The message will be sent again."
INTERNAL_ERROR_MESSAGE = "Not sent because of an internal error. Details are in the worker's log. It will be retried."


@dataclass(slots=True)
class WebhookSender:
    """The messages that one worker is sending."""

    tasks: dict[asyncio.Task[None], WebhookMessage] = field(default_factory=dict)

    async def start_due(self) -> int:
        """Start sending due messages, as many as there is room for. Returns the number."""
        under_way = Counter(message.webhook_id for message in self.tasks.values())
        room = MAX_SENDING - len(self.tasks)
        messages = await sync_to_async(leasing.lease)(room, under_way) if room > 0 else []
        for message in messages:
            task = asyncio.create_task(self._send_and_record(message))
            self.tasks[task] = message
            task.add_done_callback(self.tasks.pop)
        return len(messages)

    async def wait_any(self, seconds: float) -> None:
        """Wait until one message is recorded, `seconds` at most."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def finish(self) -> None:
        """Wait for the messages under way; the deadline of each bounds it."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    async def _send_and_record(self, message: WebhookMessage) -> None:
        result = await send(message)
        try:
            await sync_to_async(results.record_result)(result)
        except Exception:
            # Its lease expires, and it is sent again under the same id.
            log.exception("Could not record webhook message %s", message.pk, extra={"summary": "webhook result"})


async def send(message: WebhookMessage) -> SendResult:
    """Send one message. Raises nothing: the result has the failure."""
    started_at, started = clock.now(), time.monotonic()
    response: WebhookResponse | None = None
    outcome, is_local = "", False
    try:
        # A worker that was frozen resumes with a lease that another worker may have taken over.
        if clock.monotonic() >= message.lease_deadline:
            outcome, is_local = LEASE_EXPIRED_MESSAGE, True
        else:
            failpoints.hit("webhook.before_send")
            response = await _post(message)
            failpoints.hit("webhook.sent")
            outcome = _describe(response)
    except LaminarError as error:
        outcome = str(error)
    except DecryptionError as error:
        outcome, is_local = str(error), True
    except Exception:
        log.exception("Could not send webhook message %s", message.pk, extra={"summary": "send webhook"})
        outcome, is_local = INTERNAL_ERROR_MESSAGE, True
    milliseconds = round(1000 * (time.monotonic() - started))
    if response is None:
        return SendResult(message, started_at, milliseconds, outcome, is_local=is_local)
    return SendResult(
        message, started_at, milliseconds, outcome, is_success=response.is_success, status=response.status,
        answer=response.text, retry_after=None if response.is_success else response.retry_after,
    )  # fmt: skip


async def _post(message: WebhookMessage) -> WebhookResponse:
    webhook, timestamp = message.webhook, int(clock.now().timestamp())
    headers = signing.build_headers(webhook.secrets, message.header_id, timestamp, message.body)
    hosts = settings.ALLOWED_WEBHOOK_HOSTS
    return await post_message(webhook.url, headers, message.body.encode(), allowed_hosts=hosts)


def _describe(response: WebhookResponse) -> str:
    if response.is_success:
        return "The endpoint accepted it."
    if 300 <= response.status < 400:
        return f"The endpoint answered {response.status}, a redirect. Redirects are not followed: enter the final URL."
    return f"The endpoint answered {response.status} instead of a success (200 to 299)."
