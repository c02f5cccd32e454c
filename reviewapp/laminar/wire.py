"""What goes over the wire to Laminar, and what its answers mean. Pure: nothing is sent from here."""

import email.utils
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

SHORT_ANSWER = 64 * 1024
LONG_ANSWER = 64 * 1024 * 1024
IDS_PER_QUERY = 500

_SAFE = "Nothing is lost; "


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `longest` is the answer's greatest length in bytes; `body` is JSON text."""

    method: str
    path: str
    body: str | None = None
    longest: int = SHORT_ANSWER
    names_trace: bool = False
    needs_full_key: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, with the key taken out of every text meant for people (`shown`, `words`, `location`)."""

    status: int
    body: bytes
    shown: str
    words: str = ""
    location: str = ""
    retry_after: float | None = None
    is_cut: bool = False
    is_encoded: bool = False


def answer(status: int, headers: Mapping[str, str], body: bytes, *, is_cut: bool, key: str) -> Answer:
    """The Answer for a response whose body was read as far as it may be read."""
    return Answer(
        status=status,
        body=body,
        shown=redaction.shown(body, key),
        words=redaction.words(body, key) if status != 200 else "",
        location=redaction.shown(headers.get("location", "").encode(), key),
        retry_after=parse_retry_after(headers.get("retry-after", "")),
        is_cut=is_cut,
        is_encoded=is_encoded(headers),
    )


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether a body is compressed though nobody asked for it. It is not read: a small one may unpack to any size."""
    return headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


def metadata_patch(trace_id: UUID, metadata: Mapping[str, Any]) -> Call:
    """`POST /v1/traces/metadata`: merge top-level keys into a trace's metadata. Raises Refused."""
    if not metadata:
        raise RequestRefused("There is no metadata to send: a patch needs at least one key.")
    body = _json({"traceId": str(trace_id), "metadata": dict(metadata)})
    return Call("POST", "/v1/traces/metadata", body, names_trace=True, needs_full_key=False)


def tag(names: Sequence[str], trace_id: UUID | None, span_id: UUID | None) -> Call:
    """`POST /v1/tag`: add tags to one span, or to a trace's top span. Raises Refused, ValueError."""
    if (trace_id is None) == (span_id is None):
        raise ValueError("A tag goes to a trace or to a span: give exactly one id.")
    if not names:
        raise RequestRefused("There is no tag to send: give at least one name.")
    target = {"traceId": str(trace_id)} if trace_id else {"spanId": str(span_id)}
    return Call("POST", "/v1/tag", _json({"names": list(names), **target}), names_trace=True)


def project() -> Call:
    """`GET /v1/project`: which project the key belongs to."""
    return Call("GET", "/v1/project")


def query(sql: str, parameters: Mapping[str, Any], longest: int) -> Call:
    """`POST /v1/sql/query`. UUIDs and aware times may be parameters. Raises Refused."""
    if "?" in sql:
        raise RequestRefused(
            "Laminar cannot take a question mark in the text of a query. Give the text as a parameter."
        )
    values = {name: _parameter(value) for name, value in parameters.items()}
    return Call("POST", "/v1/sql/query", _json({"query": sql, "parameters": values}), longest)


def traces(ids: Sequence[UUID], columns: str = "*") -> tuple[str, dict[str, Any]]:
    """The query for these columns of traces by id, and its parameters."""
    # Laminar's validator of 2026 knows IN only with parentheses.
    return " ".join(["SELECT", columns, "FROM traces WHERE id IN ({ids:Array(UUID)})"]), {"ids": list(ids)}


def traces_matching(
    pairs: Sequence[tuple[str, str]], since: datetime | None, until: datetime | None, limit: int
) -> tuple[str, dict[str, Any]]:
    """The query for the newest traces with all of `pairs`, and its parameters.

    A pair matches as in Laminar's trace list: the value is the text of a JSON string, or the JSON text of any value.
    """
    parameters: dict[str, Any] = {"limit": limit}
    tests = []
    for at, (key, value) in enumerate(pairs):
        if not key:
            raise RequestRefused("A filter needs a key before the equals sign.")
        tests.append(
            f"(simpleJSONExtractString(metadata, {{key{at}:String}}) = {{value{at}:String}}"
            f" OR simpleJSONExtractRaw(metadata, {{key{at}:String}}) = {{value{at}:String}})"
        )
        # ClickHouse answers "" for a key that is absent, so an empty value would find nearly every trace.
        parameters |= {f"key{at}": key, f"value{at}": value or '""'}
    for name, sign, moment in (("since", ">=", since), ("until", "<", until)):
        if moment:
            tests.append(f"start_time {sign} {{{name}:String}}")
            parameters[name] = moment
    where = ["WHERE", " AND ".join(tests)] if tests else []
    # The id keeps those of one moment in one order, from page to page.
    order = "ORDER BY start_time DESC, id DESC LIMIT {limit:UInt32}"
    return " ".join(["SELECT * FROM traces", *where, order]), parameters


def accepted(got: Answer, call: Call) -> None:
    """Pass when a write was taken: exactly 200, and no web page. Raises LaminarError."""
    _succeeded(got, call)
    if got.body.strip():
        _parsed(got)


def project_id(got: Answer, call: Call) -> UUID:
    """The project's id. Raises LaminarError."""
    _succeeded(got, call)
    try:
        return UUID(_parsed(got)["projectId"])
    except (TypeError, KeyError, ValueError, AttributeError):
        raise _unexpected(got, "holds no project id") from None


def data(got: Answer, call: Call) -> list[dict[str, Any]]:
    """The rows of a query. Raises LaminarError."""
    _succeeded(got, call)
    found = _parsed(got)
    rows = found.get("data") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _unexpected(got, "holds no rows")
    return rows


def sendable(key: str) -> str:
    """The key, when it can stand in a header. Raises KeyRefused, without showing it."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise KeyRefused("This is not a Laminar key: a key is one word of letters and digits. Copy it again.")
    return key


def parse_retry_after(text: str) -> float | None:
    """The seconds that a Retry-After header asks for, 1 to 86,400; None when it says nothing usable."""
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


def _json(value: Any) -> str:
    try:
        return canonical_json.dumps(value)
    except ValueError as error:
        raise RequestRefused(f"This cannot be sent to Laminar. {error}") from None


def _parameter(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("A time given to a query needs its time zone.")
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return [_parameter(item) for item in value] if isinstance(value, (list, tuple)) else value


def _parsed(got: Answer) -> Any:
    if got.body.lstrip()[:1] == b"<":
        raise _unexpected(got, "is a web page: the base URL must lead to Laminar's API, not to its pages")
    try:
        return canonical_json.parse(got.body.decode("utf-8", "replace"))
    except canonical_json.InvalidJSONError:
        raise _unexpected(got, "is not JSON") from None


def _succeeded(got: Answer, call: Call) -> None:
    if got.status != 200:
        raise _fault(got, call)
    if got.is_encoded:
        raise _unexpected(got, "is compressed, which was not asked for")
    if got.is_cut:
        raise _unexpected(got, f"is longer than {call.longest} bytes: ask for less at once", ResponseTooLong)


def _unexpected(got: Answer, what: str, kind: type[UnexpectedResponse] = UnexpectedResponse) -> UnexpectedResponse:
    message = f"Laminar's answer {what}. What was sent may not have arrived; it is safe to send it again."
    return kind(message, status=got.status, answer=got.shown, retry_after=got.retry_after)


def _fault(got: Answer, call: Call) -> LaminarError:
    """The error that an answer other than 200 means."""
    kind, message = _meaning(got, call)
    return kind(message, status=got.status, answer=got.shown, retry_after=got.retry_after)


def _meaning(got: Answer, call: Call) -> tuple[type[LaminarError], str]:
    status = got.status
    words = f" It says: {got.words.rstrip('.')}." if got.words else ""
    if status < 300:
        return UnexpectedResponse, f"The server answered {status}, where Laminar answers 200. Check the base URL."
    if status < 400:
        return Redirected, f"The server points elsewhere ({status}): {got.location or 'nowhere'}. Correct the base URL."
    if status in (401, 403):
        return KeyRefused, f"Laminar refused the key ({status}).{words} {_SAFE}give a key that is valid there."
    if status == 404 and call.names_trace and _names_reason(got):
        return TraceNotFound, f"Laminar does not know this trace or span yet (404). {_SAFE}it may still be on its way."
    if status in (404, 405, 410):
        cause = "the key is ingest-only and may not read, " if call.needs_full_key else ""
        cause += "the server is older than this request, or the base URL is wrong"
        return (
            EndpointNotFound,
            f"There is nothing at {call.path} ({status}): {cause}.{words} {_SAFE}correct the settings.",
        )
    if status == 408:
        return TimedOut, f"The server waited too long for the request (408). {_SAFE}try again later."
    if status == 413:
        return RequestTooLarge, "Laminar takes no request of this size (413). Shorten the notes or the largest value."
    if status == 429:
        return RateLimited, f"Laminar asks to slow down (429). {_SAFE}try again later."
    if status < 500:
        return RequestRefused, f"Laminar refused this ({status}).{words} Correct the content, then send it again."
    return ServerError, f"Laminar is in trouble ({status}).{words} {_SAFE}try again later."


def _names_reason(got: Answer) -> bool:
    # A push is refused by a JSON string, a tag by this plain text; other texts come from some other server.
    return re.fullmatch(r'"[^"]+"|No matching spans found', got.shown) is not None
