"""Laminar over HTTP. No other package makes requests to it. Imports no models and no views."""

from reviewapp.laminar.addresses import check_address, normalize_base_url
from reviewapp.laminar.client import AsyncLaminar, KeyKind, Laminar
from reviewapp.laminar.errors import (
    AddressRefused,
    EndpointNotFound,
    KeyRefused,
    LaminarError,
    RateLimited,
    Redirected,
    RequestRefused,
    RequestTooLarge,
    ResponseTooLong,
    Retry,
    ServerError,
    TimedOut,
    TraceNotFound,
    UnexpectedResponse,
    Unreachable,
)
from reviewapp.laminar.rows import SpanEvent, SpanRow, TraceRow

__all__ = [
    "AddressRefused",
    "AsyncLaminar",
    "EndpointNotFound",
    "KeyKind",
    "KeyRefused",
    "Laminar",
    "LaminarError",
    "RateLimited",
    "Redirected",
    "RequestRefused",
    "RequestTooLarge",
    "ResponseTooLong",
    "Retry",
    "ServerError",
    "SpanEvent",
    "SpanRow",
    "TimedOut",
    "TraceNotFound",
    "TraceRow",
    "UnexpectedResponse",
    "Unreachable",
    "check_address",
    "normalize_base_url",
]
