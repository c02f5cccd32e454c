"""Laminar over HTTP. No other package makes requests to it. Imports no models and no views."""

from reviewapp.laminar.addresses import check_address, normalize_base_url
from reviewapp.laminar.call_slots import take_slot
from reviewapp.laminar.client import AsyncLaminar, KeyKind, Laminar
from reviewapp.laminar.errors import (
    AddressRefused,
    Busy,
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
from reviewapp.laminar.rows import ParsedRows, SpanEvent, SpanRow, TraceRow, UnreadableRow
from reviewapp.laminar.signals import SignalVerdict

__all__ = [
    "AddressRefused",
    "AsyncLaminar",
    "Busy",
    "EndpointNotFound",
    "KeyKind",
    "KeyRefused",
    "Laminar",
    "LaminarError",
    "ParsedRows",
    "RateLimited",
    "Redirected",
    "RequestRefused",
    "RequestTooLarge",
    "ResponseTooLong",
    "Retry",
    "ServerError",
    "SignalVerdict",
    "SpanEvent",
    "SpanRow",
    "TimedOut",
    "TraceNotFound",
    "TraceRow",
    "UnexpectedResponse",
    "Unreachable",
    "UnreadableRow",
    "check_address",
    "normalize_base_url",
    "take_slot",
]
