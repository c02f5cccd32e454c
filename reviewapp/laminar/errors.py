"""What can go wrong with Laminar, each kind telling whether another try makes sense.

The messages are sentences for a person and hold no key.
"""

from enum import Enum


class Retry(Enum):
    """When sending the same thing again can help."""

    LATER = "later"  # the fault may pass: wait and try again
    WHEN_INGESTED = "when_ingested"  # the trace has not arrived there yet
    AFTER_KEY = "after_key"  # a person must correct the key or the base URL first
    NEVER = "never"  # the same content will always be refused


class LaminarError(Exception):
    """The far side did not do what was asked.

    `status` is its HTTP status or None when there was none, `answer` the first 500 characters of its text
    without the key, `retry_after` the seconds it asked to wait (1 to 86,400) or None.
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
    """404 with a reason: Laminar has not ingested the trace, or the span, or it is another project's."""

    retry = Retry.WHEN_INGESTED


class EndpointNotFound(LaminarError):
    """A blank or foreign 404: an older server, a wrong base URL, or an ingest-only key that tried to read."""

    retry = Retry.AFTER_KEY


class KeyRefused(LaminarError):
    """401 or 403, or a key that cannot be sent at all."""

    retry = Retry.AFTER_KEY


class AddressRefused(LaminarError):
    """The base URL is malformed or leads to an address that may not be reached."""

    retry = Retry.AFTER_KEY


class RequestTooLarge(LaminarError):
    """413: the request exceeds Laminar's limit, 5 MiB unless its operator chose another."""

    retry = Retry.NEVER


class RequestRefused(LaminarError):
    """400 and the other 4xx, and content that is not worth sending since Laminar would refuse or drop it."""

    retry = Retry.NEVER


class RateLimited(LaminarError):
    """429."""


class ServerError(LaminarError):
    """5xx."""


class Unreachable(LaminarError):
    """No name, no connection, no trusted certificate, or a connection that broke."""


class TimedOut(LaminarError):
    """No complete answer within the deadline."""


class Redirected(LaminarError):
    """3xx, which is never followed: the key would go where nobody sent it."""


class UnexpectedResponse(LaminarError):
    """A success that is not Laminar's: another 2xx, a web page, no JSON, or too much of it."""


class ResponseTooLong(UnexpectedResponse):
    """A query's answer beyond what is read of one: ask for less at once."""
