"""Errors of calls to Laminar. Each type tells when a retry can help.

The messages are sentences for a person and never contain the key.
"""

from enum import Enum


class Retry(Enum):
    """When sending the same request again can help."""

    LATER = "later"  # the fault may pass: wait, then retry
    WHEN_INGESTED = "when_ingested"  # Laminar does not have the trace yet
    AFTER_KEY = "after_key"  # a person must correct the key or the base URL first
    NEVER = "never"  # the same content will always be refused


class LaminarError(Exception):
    """A call to Laminar failed.

    `status` is the HTTP status, None without a response. `response_text` is the first 500 characters of the response
    without the key. `retry_after` is how many seconds Laminar asked to wait (1 to 86,400), or None.
    """

    retry = Retry.LATER

    def __init__(
        self, message: str, *, status: int | None = None, answer: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.response_text = answer
        self.retry_after = retry_after


class TraceNotFound(LaminarError):
    """404 with a reason: Laminar has not ingested the trace or span, or it belongs to another project."""

    retry = Retry.WHEN_INGESTED


class EndpointNotFound(LaminarError):
    """404 without Laminar's reason: an older server, a wrong base URL, or an ingest-only key that tried to read."""

    retry = Retry.AFTER_KEY


class KeyRefused(LaminarError):
    """401 or 403, or a key that cannot be sent at all."""

    retry = Retry.AFTER_KEY


class AddressRefused(LaminarError):
    """The base URL is malformed or leads to an address that is not allowed."""

    retry = Retry.AFTER_KEY


class MetadataServiceRefused(AddressRefused):
    """The base URL leads to a cloud metadata service, which hands out credentials: a mistake or an attack."""


class RequestTooLarge(LaminarError):
    """413: the request exceeds Laminar's limit, 5 MiB unless its operator changed it."""

    retry = Retry.NEVER


class RequestRefused(LaminarError):
    """400 and other 4xx, and content that is not sent because Laminar would refuse or drop it."""

    retry = Retry.NEVER


class RateLimited(LaminarError):
    """429."""


class ServerError(LaminarError):
    """5xx."""


class Unreachable(LaminarError):
    """Unknown host name, failed connection, untrusted certificate or broken connection."""


class Busy(LaminarError):
    """Nothing was sent: as many threads as may wait for Laminar are waiting."""


class TimedOut(LaminarError):
    """No complete response within the deadline."""


class Redirected(LaminarError):
    """3xx. Redirects are never followed: the key would go to a server that nobody configured."""


class UnexpectedResponse(LaminarError):
    """A success that is not Laminar's: another 2xx, a web page, invalid JSON, or a response that is too long.

    `problem` says what is wrong with the response, without a full stop.
    """

    problem = "Laminar's response cannot be read"


class ResponseTooLong(UnexpectedResponse):
    """The response to a query is longer than the limit: request fewer rows."""
