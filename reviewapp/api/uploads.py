"""`queues/<slug>/uploads`: add a whole file of traces to a queue, and ask how far it is."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from ninja import Field, P, PathEx, Router, Schema, Status

from reviewapp.api import openapi
from reviewapp.api.queues import COMMON_RESPONSES, NO_QUEUE, QueuePath, find_queue
from reviewapp.api.request_handling import ErrorOut, RequestRejected, check_text, error_response, require_scope
from reviewapp.keys.models import Scope
from reviewapp.lib.local_time import parse_due_time
from reviewapp.lib.numbers import parse_int
from reviewapp.lib.shortening import shorten
from reviewapp.queues.adding import QueueArchivedError
from reviewapp.queues.models.upload import Upload, UploadState
from reviewapp.queues.uploads import columns, lifecycle
from reviewapp.queues.uploads.columns import MAX_LENGTHS, MAX_PRIORITY, Layout
from reviewapp.queues.uploads.receiving import UploadRefused, check_size, receive

NOTHING_ADDED = "Nothing was added."
BLOCK_BYTES = 64 * 1024
MAX_NAME_LENGTH = 200
MAX_FAULTS = 100
CUT_OFF = f"The file did not arrive as a whole. {NOTHING_ADDED} Send it again."
NOT_A_FILE = "Send the file itself as the body, not a form."
FORM_TYPE = "multipart/form-data"

EXAMPLE_STATE: dict[str, object] = {
    "id": 7,
    "url": "/api/v1/queues/answers/uploads/7",
    "name": "traces.csv",
    "kind": "csv",
    "state": "adding",
    "percent": 40,
    "lines": 4000,
    "added": 3990,
    "duplicates": 7,
    "removed": 1,
    "requeued": 0,
    "faults": 2,
    "first_faults": [{"line": 17, "problem": "The line has no trace id. Fill it in, or choose another column for it."}],
    "failure": "",
}
POST_RESPONSES = COMMON_RESPONSES | {
    200: ("The same file was sent to this queue before. Nothing was added again.", {**EXAMPLE_STATE, "state": "done"}),
    202: ("The file is stored, and a worker adds it. The Location header has the URL of its state.", EXAMPLE_STATE),
    400: (
        "The file or a parameter cannot be read. Nothing was added.",
        {"error": f"The file has no column “trace”. It has: id, order. {NOTHING_ADDED}", "line": None},
    ),
    404: NO_QUEUE,
    409: (
        "The queue is archived. Nothing was added.",
        {"error": f"{QueueArchivedError()} {NOTHING_ADDED}", "line": None},
    ),
    413: (
        "The file is too large.",
        {"error": f"The file is larger than 100 MB. {NOTHING_ADDED} Split it into smaller files.", "line": None},
    ),
    415: openapi.UNSUPPORTED_CHARSET,
}
GET_RESPONSES = COMMON_RESPONSES | {
    200: ("How far the upload is.", EXAMPLE_STATE),
    404: (
        "The queue has no such upload.",
        {"error": "There is no upload 7 to the queue “answers”.", "line": None},
    ),
}


def _describe_parameter(name: str, description: str, **schema: object) -> dict[str, Any]:
    return {
        "in": "query", "name": name, "required": False, "schema": {"type": "string"} | schema,
        "description": description,
    }  # fmt: skip


PARAMETERS = [
    _describe_parameter("name", "The file's name", maxLength=MAX_NAME_LENGTH),
    *(
        _describe_parameter(f"column_{field}", f"The column, or key, of the {label.lower()}; by default guessed")
        for field, label in columns.FIELD_LABELS.items()
    ),
    _describe_parameter("reason", "The reason for lines without one", maxLength=MAX_LENGTHS["reason"]),
    _describe_parameter(
        "priority", "The priority of lines without one", type="integer", minimum=-MAX_PRIORITY, maximum=MAX_PRIORITY
    ),
    _describe_parameter("due_at", "The due date of lines without one: 2026-12-31 or 2026-12-31T17:30Z"),
    _describe_parameter("bring_back", "Also add traces that a person removed", enum=["true", "false"], default="false"),
    _describe_parameter(
        "requeue", "Also make completed and skipped items pending", enum=["true", "false"], default="false"
    ),
]
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            content_type: {"schema": {"type": "string"}} for content_type in ("text/csv", "application/x-ndjson")
        },
    }
}

router = Router()


class FaultOut(Schema):
    line: int
    problem: str = Field(description="A sentence for a person")


class UploadOut(Schema):
    id: int
    url: str = Field(description="Where to ask for this state, on this host")
    name: str
    kind: str = Field(description="csv, jsonl, or view if a person added all traces of a view")
    state: str = Field(json_schema_extra={"enum": [*UploadState.values]})
    percent: int | None = Field(description="How much is processed; null if it is not known")
    lines: int = Field(description="The lines processed, those with errors included")
    added: int
    duplicates: int = Field(description="Lines whose trace was in the queue, or in the file before")
    removed: int = Field(description="Lines left out because a person removed their trace from the queue")
    requeued: int
    faults: int = Field(description="The lines that were not added because of an error")
    first_faults: list[FaultOut] = Field(description=f"The first {MAX_FAULTS} of them")
    failure: str = Field(description="Why the worker could not go on, and tries again; else empty")


class Options(NamedTuple):
    """The validated parameters: the file's name, the chosen columns by field, and what is set on the upload."""

    name: str
    columns: dict[str, str]
    changes: dict[str, object]


@router.post(
    "/queues/{slug:queue}/uploads",
    response={200: UploadOut, 202: UploadOut} | dict.fromkeys((400, 401, 403, 404, 405, 409, 413, 415, 429), ErrorOut),
    summary="Upload a file of traces",
    openapi_extra=openapi.describe_responses(POST_RESPONSES) | FILE_BODY | {"parameters": PARAMETERS},
)
def post_upload(request: HttpRequest, response: HttpResponse, queue: QueuePath) -> Status[dict[str, object]]:
    """The body is the file itself, CSV or JSONL in UTF-8 or UTF-16, of up to 100 MB: `curl --data-binary @traces.csv`.

    A worker adds it line by line: ask the URL in the answer until its state is “done”. Lines that are not valid do not
    stop the others. Sending the same file again adds nothing and returns the same upload.
    """
    token = require_scope(request, Scope.QUEUE)
    actor = f"token:{token.name}"
    try:
        target = find_queue(token, queue)
        if target.archived_at is not None:
            raise RequestRejected(str(QueueArchivedError()), status=409)
        options = parse_options(request.GET)
        blocks = _read_blocks(request)
        upload, is_new = receive(target, actor, options.name, blocks, partial(choose_columns, options.columns))
    except RequestRejected as error:
        return error_response(error, "Line", NOTHING_ADDED)
    except UploadRefused as error:
        return error_response(RequestRejected(str(error)), "Line", "")
    # Also if the call that stored the file was cut off before it was started.
    if is_new or upload.made_by == actor:
        lifecycle.start(upload, actor, UploadState.ADDING, **options.changes)
        upload.refresh_from_db()
    response["Location"] = _state_url(upload)
    return Status(202 if is_new else 200, describe_upload(upload))


@router.get(
    "/queues/{slug:queue}/uploads/{int:upload}",
    response={200: UploadOut} | dict.fromkeys((401, 403, 404, 405, 429), ErrorOut),
    summary="Read the state of an upload",
    openapi_extra=openapi.describe_responses(GET_RESPONSES),
)
def get_upload(
    request: HttpRequest, queue: QueuePath, upload: PathEx[int, P(description="The upload's id", example=7)]
) -> Status[dict[str, object]]:
    """How far a file is, and its lines with errors."""
    try:
        target = find_queue(require_scope(request, Scope.READ), queue)
        rows = Upload.objects.filter(~Q(state=UploadState.RECEIVING), queue=target)
        # Larger numbers are no primary keys.
        row = rows.filter(pk=upload).first() if upload < 2**63 else None
        if row is None:
            raise RequestRejected(f"There is no upload {upload} to the queue “{target.slug}”.", status=404)
    except RequestRejected as error:
        return error_response(error, "Line", "")
    row.queue = target
    return Status(200, describe_upload(row))


def parse_options(query: QueryDict) -> Options:
    """Validate the parameters. Raises RequestRejected."""
    known = {parameter["name"] for parameter in PARAMETERS}
    if unknown := sorted(set(query) - known):
        raise RequestRejected(f"Unknown parameter “{shorten(unknown[0], 40)}”. Allowed: {', '.join(sorted(known))}.")
    if repeated := sorted(name for name in query if len(query.getlist(name)) > 1):
        raise RequestRejected(f"The parameter {repeated[0]} is there twice.")
    for name, limit in (("name", MAX_NAME_LENGTH), ("reason", MAX_LENGTHS["reason"])):
        check_text(query.get(name, ""))
        if len(query.get(name, "")) > limit:
            raise RequestRejected(f"The {name} is longer than {limit} characters.")
    priority, due_at = query.get("priority", "0"), query.get("due_at")
    number = parse_int(priority.removeprefix("-"), max_value=MAX_PRIORITY)
    if number is None:
        raise RequestRejected(f"The priority must be a whole number from {-MAX_PRIORITY:,} to {MAX_PRIORITY:,}.")
    parsed_due_at = parse_due_time(due_at) if due_at else None
    if due_at and parsed_due_at is None:
        raise RequestRejected("The due_at is not a date. Write it as 2026-12-31 or 2026-12-31T17:30Z.")
    chosen = {field: str(query[f"column_{field}"]) for field in Layout.FIELDS if query.get(f"column_{field}")}
    return Options(
        query.get("name") or "file",
        chosen,
        {
            "reason": query.get("reason", ""), "due_at": parsed_due_at,
            "priority": -number if priority.startswith("-") else number,
            "brings_back": _parse_flag(query, "bring_back"), "requeues": _parse_flag(query, "requeue"),
        },
    )  # fmt: skip


def choose_columns(chosen: dict[str, str], layout: Layout) -> None:
    """Set the columns of a guessed layout. Raises UploadRefused for one that the file does not have once."""
    listed = f"It has: {shorten(', '.join(layout.columns), 400)}. {NOTHING_ADDED}"
    for field, column in chosen.items():
        if column not in layout.columns:
            raise UploadRefused(f"The file has no column “{shorten(column, 80)}”. {listed}")
        if layout.columns.count(column) > 1:
            raise UploadRefused(f"The file has several columns “{shorten(column, 80)}”. Rename them. {NOTHING_ADDED}")
        layout.fields[field] = layout.columns.index(column)
    if layout.fields["trace_id"] is None:
        raise UploadRefused(f"No column of the file has trace ids. Name it with column_trace_id. {listed}")


def describe_upload(upload: Upload) -> dict[str, object]:
    faults = upload.faults.order_by("line", "pk").values("line", "problem")[:MAX_FAULTS]
    return {
        "id": upload.pk, "url": _state_url(upload), "name": "" if upload.is_view else upload.name, "kind": upload.kind,
        "state": upload.state, "percent": upload.percent, "lines": upload.line, "added": upload.added,
        "duplicates": upload.duplicates, "removed": upload.removed, "requeued": upload.requeued,
        "faults": upload.fault_count, "first_faults": list(faults), "failure": upload.failure,
    }  # fmt: skip


def _parse_flag(query: QueryDict, name: str) -> bool:
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise RequestRejected(f"The parameter {name} must be true or false.")
    return text == "true"


def _read_blocks(request: HttpRequest) -> Iterator[bytes]:
    """The body piece by piece. Raises RequestRejected before its first if it cannot be a file, UploadRefused."""
    if request.content_type == FORM_TYPE:
        raise RequestRejected(NOT_A_FILE)
    size = parse_int(request.META.get("CONTENT_LENGTH") or "0")
    size = 2**53 if size is None else size
    try:
        check_size(size)
    except UploadRefused as error:
        raise RequestRejected(str(error).replace(f" {NOTHING_ADDED}", ""), status=413) from None
    return _read_to_end(request, size)


def _read_to_end(request: HttpRequest, size: int) -> Iterator[bytes]:
    """Raises UploadRefused for a body that is cut off."""
    missing = size
    while missing and (block := request.read(min(BLOCK_BYTES, missing))):
        missing -= len(block)
        yield block
    if missing:
        raise UploadRefused(CUT_OFF)


def _state_url(upload: Upload) -> str:
    return f"/api/v1/queues/{upload.queue.slug}/uploads/{upload.pk}"
