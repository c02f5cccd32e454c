"""Build Laminar's requests and interpret its responses. Pure functions: nothing is sent from here."""

import email.utils
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from reviewapp.laminar import redaction
from reviewapp.laminar.errors import (
    EndpointNotFound,
    KeyRefused,
    LaminarError,
    RateLimited,
    Redirected,
    RequestRefused,
    RequestTooLarge,
    ResponseTooLong,
    ServerError,
    TimedOut,
    TraceNotFound,
    UnexpectedResponse,
)
from reviewapp.lib import canonical_json, clock

# Bytes that are read of a response: of a query's rows by default, and of any other response.
MAX_QUERY_RESPONSE_BYTES = 64 * 1024 * 1024
MAX_OTHER_RESPONSE_BYTES = 64 * 1024
IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Call:
    """A request to Laminar; `body` is JSON text."""

    method: str
    path: str
    body: str | None = None
    max_response_bytes: int = MAX_OTHER_RESPONSE_BYTES
    names_trace: bool = False
    needs_full_key: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """A response. The texts meant for people (`text`, `message`, `location`) never contain the key."""

    status: int
    body: bytes
    text: str
    message: str = ""
    location: str = ""
    retry_after: float | None = None
    is_truncated: bool = False
    is_encoded: bool = False


def build_response(status: int, headers: Mapping[str, str], body: bytes, *, is_truncated: bool, key: str) -> Response:
    """Build the Response for a body that was read up to its limit."""
    return Response(
        status=status,
        body=body,
        text=redaction.display_body(body, key),
        message=redaction.extract_message(body, key) if status != 200 else "",
        location=redaction.display_body(headers.get("location", "").encode(), key),
        retry_after=parse_retry_after(headers.get("retry-after", "")),
        is_truncated=is_truncated,
        is_encoded=is_encoded(headers),
    )


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether a body is compressed though it was not requested. It is not read: it could unpack to any size."""
    return headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


def build_metadata_call(trace_id: UUID, metadata: Mapping[str, Any]) -> Call:
    """`POST /v1/traces/metadata`: merge top-level keys into a trace's metadata. Raises RequestRefused."""
    if not metadata:
        raise RequestRefused("There is no metadata to send. A patch needs at least one key.")
    body = _to_json({"traceId": str(trace_id), "metadata": dict(metadata)})
    return Call("POST", "/v1/traces/metadata", body, names_trace=True, needs_full_key=False)


def build_tag_call(names: Sequence[str], trace_id: UUID | None, span_id: UUID | None) -> Call:
    """`POST /v1/tag`: add tags to a span, or to a trace's top span. Raises RequestRefused, ValueError."""
    if (trace_id is None) == (span_id is None):
        raise ValueError("A tag is for a trace or for a span: pass exactly one id.")
    if not names:
        raise RequestRefused("There is no tag to send. Give at least one name.")
    target = {"traceId": str(trace_id)} if trace_id else {"spanId": str(span_id)}
    return Call("POST", "/v1/tag", _to_json({"names": list(names), **target}), names_trace=True)


def build_project_call() -> Call:
    """`GET /v1/project`: the project that the key belongs to."""
    return Call("GET", "/v1/project")


def build_query_call(sql: str, parameters: Mapping[str, Any], max_response_bytes: int) -> Call:
    """`POST /v1/sql/query`. Parameters can be UUIDs and aware datetimes. Raises RequestRefused."""
    if "?" in sql:
        raise RequestRefused("Laminar does not accept a question mark in a query. Pass the text as a parameter.")
    values = {name: _to_parameter(value) for name, value in parameters.items()}
    return Call("POST", "/v1/sql/query", _to_json({"query": sql, "parameters": values}), max_response_bytes)


def build_traces_query(ids: Sequence[UUID], columns: str = "*") -> tuple[str, dict[str, Any]]:
    """Return the query for columns of traces by id, and its parameters."""
    # Laminar's query validator (2026) accepts IN only with parentheses.
    return " ".join(["SELECT", columns, "FROM traces WHERE id IN ({ids:Array(UUID)})"]), {"ids": list(ids)}


def build_search_query(
    pairs: Sequence[tuple[str, str]],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    excluded: Sequence[UUID] = (),
    columns: str = "*",
) -> tuple[str, dict[str, Any]]:
    """Return the query for the newest traces with all of `pairs`, except the `excluded` ones, and its parameters.

    A pair matches as in Laminar's trace list: the value is the text of a JSON string, or the JSON text of any value.
    """
    parameters: dict[str, Any] = {"limit": limit}
    conditions = []
    for number, (key, value) in enumerate(pairs):
        if not key:
            raise RequestRefused("A filter needs a key before the equals sign.")
        conditions.append(
            f"(simpleJSONExtractString(metadata, {{key{number}:String}}) = {{value{number}:String}}"
            f" OR simpleJSONExtractRaw(metadata, {{key{number}:String}}) = {{value{number}:String}})"
        )
        # ClickHouse returns "" for an absent key, so an empty value would match nearly every trace.
        parameters |= {f"key{number}": escape_key(key), f"value{number}": value or '""'}
    for name, operator, moment in (("since", ">=", since), ("until", "<", until)):
        if moment:
            conditions.append(f"start_time {operator} {{{name}:String}}")
            parameters[name] = moment
    if excluded:
        conditions.append("id NOT IN ({excluded:Array(UUID)})")
        parameters["excluded"] = list(excluded)
    where = ["WHERE", " AND ".join(conditions)] if conditions else []
    # The id gives traces with the same start time a stable order across pages.
    order = "ORDER BY start_time DESC, id DESC LIMIT {limit:UInt32}"
    return " ".join(["SELECT", columns, "FROM traces", *where, order]), parameters


def escape_key(key: str) -> str:
    """Return a metadata key as it is written in JSON: ClickHouse's simpleJSON functions look for that text."""
    return json.dumps(key, ensure_ascii=False)[1:-1]


def check_accepted(response: Response, call: Call) -> None:
    """Check that Laminar accepted a write: status 200 and no web page. Raises LaminarError."""
    _check_success(response, call)
    if response.body.strip():
        _parse_body(response)


def parse_project_id(response: Response, call: Call) -> UUID:
    """Return the project's id. Raises LaminarError."""
    _check_success(response, call)
    try:
        return UUID(_parse_body(response)["projectId"])
    except (TypeError, KeyError, ValueError, AttributeError):
        raise _unexpected(response, "has no project id") from None


def parse_rows(response: Response, call: Call) -> list[dict[str, Any]]:
    """Return the rows of a query. Raises LaminarError."""
    _check_success(response, call)
    content = _parse_body(response)
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list) or (rows and not any(isinstance(row, dict) for row in rows)):
        raise _unexpected(response, "has no rows")
    # What is no object lacks every column, and is skipped as such a row is.
    return [row if isinstance(row, dict) else {} for row in rows]


def clean_key(key: str) -> str:
    """Strip a key and check that a header can carry it. Raises KeyRefused, without showing the key."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise KeyRefused("This is not a Laminar key: a key is one word of letters and digits. Copy it again.")
    return key


def parse_retry_after(text: str) -> float | None:
    """Return the seconds of a Retry-After header, from 1 to 86,400, or None if it is not valid."""
    text = text.strip()
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII):
        seconds = float(text)
    else:
        try:
            moment = email.utils.parsedate_to_datetime(text)
            seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - clock.now()).total_seconds()
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
    return min(max(seconds, 1.0), 86_400.0)


def _to_json(value: Any) -> str:
    try:
        return canonical_json.dumps(value)
    except ValueError as error:
        raise RequestRefused(f"This cannot be sent to Laminar. {error}") from None


def _to_parameter(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("A time in a query needs a time zone.")
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return [_to_parameter(item) for item in value] if isinstance(value, (list, tuple)) else value


def _parse_body(response: Response) -> Any:
    if response.body.lstrip()[:1] == b"<":
        raise _unexpected(response, "is a web page: the base URL must be the one of Laminar's API, not of its UI")
    try:
        return canonical_json.parse(response.body.decode("utf-8", "replace"))
    except canonical_json.InvalidJSONError:
        raise _unexpected(response, "is not JSON") from None


def _check_success(response: Response, call: Call) -> None:
    if response.status != 200:
        raise _build_error(response, call)
    if response.is_encoded:
        raise _unexpected(response, "is compressed, which was not requested")
    if response.is_truncated:
        problem = f"is longer than {call.max_response_bytes} bytes: request fewer rows"
        raise _unexpected(response, problem, ResponseTooLong)


def _unexpected(
    response: Response, problem: str, kind: type[UnexpectedResponse] = UnexpectedResponse
) -> UnexpectedResponse:
    message = f"Laminar's response {problem}. The request may not have arrived; it is safe to send it again."
    error = kind(message, status=response.status, answer=response.text, retry_after=response.retry_after)
    error.problem = f"Laminar's response {problem.partition(':')[0]}"
    return error


def _build_error(response: Response, call: Call) -> LaminarError:
    """Build the error for a status other than 200."""
    kind, message = _classify(response, call)
    return kind(message, status=response.status, answer=response.text, retry_after=response.retry_after)


def _classify(response: Response, call: Call) -> tuple[type[LaminarError], str]:
    """Return the error type and the message for a status other than 200."""
    status = response.status
    reason = f" It says: {response.message.rstrip('.')}." if response.message else ""
    if status < 300:
        return UnexpectedResponse, f"The server responded {status}, where Laminar responds 200. Check the base URL."
    if status < 400:
        target = response.location or "no address given"
        return Redirected, f"The server redirects to another address ({status}): {target}. Correct the base URL."
    if status in (401, 403):
        return KeyRefused, f"Laminar refused the key ({status}).{reason} Nothing is lost; add a valid key."
    if status == 404 and call.names_trace and _has_laminar_reason(response):
        return (
            TraceNotFound,
            "Laminar does not have this trace or span yet (404). Nothing is lost; it may still arrive.",
        )
    if status in (404, 405, 410):
        cause = "the key is ingest-only and may not read, " if call.needs_full_key else ""
        cause += "the server is too old for this request, or the base URL is wrong"
        return (
            EndpointNotFound,
            f"The server has no {call.path} ({status}): {cause}.{reason} Nothing is lost; correct the settings.",
        )
    if status == 408:
        return TimedOut, "The server timed out waiting for the request (408). Nothing is lost; try again later."
    if status == 413:
        return RequestTooLarge, "The request is too large for Laminar (413). Shorten the notes or the largest value."
    if status == 429:
        return RateLimited, "Laminar is limiting requests (429). Nothing is lost; try again later."
    if status < 500:
        return (
            RequestRefused,
            f"Laminar refused the request ({status}).{reason} Correct the content, then send it again.",
        )
    return ServerError, f"Laminar has a server error ({status}).{reason} Nothing is lost; try again later."


def _has_laminar_reason(response: Response) -> bool:
    # Laminar refuses a push with a JSON string and a tag with this text; anything else is from some other server.
    return re.fullmatch(r'"[^"]+"|No matching spans found', response.text) is not None
