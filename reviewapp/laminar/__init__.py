"""Laminar over HTTP. No other package makes requests to it. Imports no models and no views."""

from reviewapp.laminar.addresses import check_address, get_origin, normalize_base_url, normalize_webhook_url
from reviewapp.laminar.call_slots import take_slot
from reviewapp.laminar.client import AsyncLaminar, KeyKind, Laminar
from reviewapp.laminar.errors import (
    AddressRefused,
    Busy,
    EndpointNotFound,
    KeyRefused,
    LaminarError,
    MetadataServiceRefused,
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
from reviewapp.laminar.webhook_client import WebhookResponse, post_message

__all__ = [
    "AddressRefused",
    "AsyncLaminar",
    "Busy",
    "EndpointNotFound",
    "KeyKind",
    "KeyRefused",
    "Laminar",
    "LaminarError",
    "MetadataServiceRefused",
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
    "WebhookResponse",
    "check_address",
    "get_origin",
    "normalize_base_url",
    "normalize_webhook_url",
    "post_message",
    "take_slot",
]
