"""The routes of Laminar's server that the review desk and SDKs use, with Laminar's responses."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from reviewapp.tracestore import (
    database,
    ids,
    otlp,
    otlp_json,
    patches,
    request_bodies,
    responses,
    signals,
    spans_json,
    storage,
)
from reviewapp.tracestore.auth import route
from reviewapp.tracestore.projects import Access
from reviewapp.tracestore.spans import Batch, InvalidSpanError, InvalidSpansError, Span
from reviewapp.tracestore.sql import pool
from reviewapp.tracestore.sql.errors import QueryError


def probe(request: HttpRequest) -> HttpResponse:
    """GET /health, /ready: `OK`."""
    return responses.text("OK") if request.method == "GET" else responses.empty(404)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Any other path: an empty 404."""
    return responses.empty(404)


def server_error(request: HttpRequest) -> HttpResponse:
    """The store itself failed; the request was not saved."""
    return responses.text("Internal server error", 500)


def not_included(request: HttpRequest) -> HttpResponse:
    """An endpoint of Laminar's for something other than traces: a 404 that says so."""
    return responses.text(
        f"{request.path} is not part of the embedded store, which has traces with metadata and tags, datasets, and SQL."
        " Use a Laminar server for evaluations, labeling queues, rollouts, MCP and the CLI.",
        404,
    )


@route("POST")
def discard(request: HttpRequest, access: Access) -> HttpResponse:
    """POST /v1/logs, /v1/metrics: accepted, so that exporters do not retry, and not stored."""
    return responses.empty(200)


@route("POST")
def export_traces(request: HttpRequest, access: Access) -> HttpResponse:
    """POST /v1/traces: OTLP in protobuf or JSON. Returns a 200 once the spans are on disk.

    Its body is empty as Laminar's, unless spans were refused: then it is the protocol's partial success.
    """
    body = request_bodies.read(request)
    is_json = request_bodies.is_json(request)
    try:
        batch = otlp_json.decode(body) if is_json else otlp.decode(body)
        if batch.refusals and not batch.spans:
            raise InvalidSpansError(batch.refusals[0])
    except InvalidSpansError as error:
        raise responses.RequestError(400, f"Failed to decode ExportTraceServiceRequest: {error}") from None
    storage.save(access.project, batch.spans)
    return _partial_success(batch, is_json=is_json) if batch.refusals else responses.empty(200)


@route("POST")
def create_spans(request: HttpRequest, access: Access) -> HttpResponse:
    """POST /v1/spans: spans in plain JSON. Returns `[{spanId, traceId}]`.

    In the place of a span that was refused stands `{error}`, unless all were: then it is a 400, as in Laminar.
    """
    try:
        decoded = spans_json.decode(request_bodies.read_json_text(request))
        spans = [span for span in decoded if isinstance(span, Span)]
        refusals = [error for error in decoded if isinstance(error, InvalidSpanError)]
        if refusals and not spans:
            raise InvalidSpansError(str(refusals[0]))
    except InvalidSpansError as error:
        raise request_bodies.malformed(str(error)) from None
    storage.save(access.project, spans)
    return responses.json_value(
        [
            {"spanId": span.span_id, "traceId": span.trace_id} if isinstance(span, Span) else {"error": str(span)}
            for span in decoded
        ]
    )


@route("POST")
def push_metadata(request: HttpRequest, access: Access) -> HttpResponse:
    """POST /v1/traces/metadata: queue a patch. Returns an empty 200 once it is on disk."""
    body = _require_object(request_bodies.read_json(request))
    trace_id = _require_id(body, "traceId")
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        raise request_bodies.malformed("missing field `metadata`" if "metadata" not in body else "expected a map")
    if not metadata:
        return responses.json_value("metadata cannot be empty", 400)
    if not storage.has_trace(access.project, trace_id):
        return responses.json_value("Trace not found", 404)
    with database.writing() as connection:
        patches.apply_due(connection)
        patches.enqueue(connection, access.project, trace_id, metadata)
    return responses.empty(200)


@route("POST", full_key=True)
def tag(request: HttpRequest, access: Access) -> HttpResponse:
    """POST /v1/tag: add tags to a span, or to the top span of a trace."""
    body = _require_object(request_bodies.read_json(request))
    names = body.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise request_bodies.malformed("missing field `names`")
    trace_id, span_id = (_require_id(body, key) if key in body else "" for key in ("traceId", "spanId"))
    if not trace_id and not span_id:
        raise request_bodies.malformed("missing field `traceId` or `spanId`")
    if not names:
        return responses.text("No names provided", 400)
    is_tagged = (
        storage.tag_top_span(access.project, trace_id, names)
        if trace_id
        else storage.tag_span(access.project, span_id, names)
    )
    # Laminar answers nothing, and older SDKs fail to parse that; all versions read an empty list.
    return responses.json_value([]) if is_tagged else responses.text("No matching spans found", 404)


@route("POST", full_key=True)
def save_verdict(request: HttpRequest, access: Access) -> HttpResponse:
    """POST /v1/embedded/signals: a signal's verdict on a trace, which Laminar's own judges write there.

    Not an endpoint of Laminar's.
    """
    body = _require_object(request_bodies.read_json(request))
    trace_id = _require_id(body, "traceId")
    if not storage.has_trace(access.project, trace_id):
        return responses.json_value("Trace not found", 404)
    try:
        return responses.json_value(signals.save(access.project, trace_id, body))
    except signals.InvalidVerdictError as error:
        raise request_bodies.malformed(str(error)) from None


@route("GET", full_key=True)
def project(request: HttpRequest, access: Access) -> HttpResponse:
    """GET /v1/project: the project of the key."""
    return responses.json_value({"projectId": access.project_id})


@route("POST", full_key=True)
def query(request: HttpRequest, access: Access) -> HttpResponse:
    """POST /v1/sql/query: run a SELECT. Returns `{"data": [{column: value}]}`."""
    body = _require_object(request_bodies.read_json(request))
    text, parameters = body.get("query"), body.get("parameters") or {}
    if not isinstance(text, str):
        raise request_bodies.malformed("missing field `query`")
    if not isinstance(parameters, dict):
        raise request_bodies.malformed("invalid type: expected a map of parameters")
    patches.apply_due_before_read()
    try:
        return responses.json_bytes(pool.run_query(access.project, text, parameters))
    except QueryError as error:
        return responses.json_value({"error": str(error)}, error.status)


def _partial_success(batch: Batch, *, is_json: bool) -> HttpResponse:
    refused = len(batch.refusals)
    total = refused + len(batch.spans)
    message = f"Refused {refused} of {total} spans; the others are stored. First reason: {batch.refusals[0]}"
    if is_json:
        return responses.json_bytes(otlp_json.encode_response(refused, message))
    return responses.protobuf(otlp.encode_response(refused, message))


def _require_object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise request_bodies.malformed("invalid type: expected a map")
    return body


def _require_id(body: dict[str, Any], key: str) -> str:
    if key not in body:
        raise request_bodies.malformed(f"missing field `{key}`")
    try:
        return ids.uuid(body[key])
    except ids.InvalidIdError as error:
        raise request_bodies.malformed(str(error)) from None
