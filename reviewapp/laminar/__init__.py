"""Laminar over HTTP: the only place that speaks to it. Knows no model and no view."""

from reviewapp.laminar.addresses import check_address, normal_base_url
from reviewapp.laminar.client import AsyncLaminar, KeyKind, Laminar
from reviewapp.laminar.errors import (
    AddressRefused,
    AnswerTooLong,
    KeyRefused,
    LaminarError,
    NotThere,
    RateLimited,
    Redirected,
    Refused,
    Retry,
    ServerFault,
    TimedOut,
    TooLarge,
    TraceNotFound,
    UnexpectedAnswer,
    Unreachable,
)
from reviewapp.laminar.rows import SpanEvent, SpanRow, TraceRow

__all__ = [
    "AddressRefused",
    "AnswerTooLong",
    "AsyncLaminar",
    "KeyKind",
    "KeyRefused",
    "Laminar",
    "LaminarError",
    "NotThere",
    "RateLimited",
    "Redirected",
    "Refused",
    "Retry",
    "ServerFault",
    "SpanEvent",
    "SpanRow",
    "TimedOut",
    "TooLarge",
    "TraceNotFound",
    "TraceRow",
    "UnexpectedAnswer",
    "Unreachable",
    "check_address",
    "normal_base_url",
]
