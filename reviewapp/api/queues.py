"""`queues`: list a project's queues, create one, change its settings, archive it."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Field, P, PathEx, Router, Schema, Status

from reviewapp.accounts.models import Project
from reviewapp.api import openapi, paging
from reviewapp.api.request_handling import (
    ErrorOut,
    RequestRejected,
    check_text,
    error_response,
    parse_body,
    refuse_unknown_fields,
    require_scope,
)
from reviewapp.keys.models import AccessToken, Scope
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.changing import change_queue
from reviewapp.queues.creating import create_queue
from reviewapp.queues.models import MAX_REVIEWERS, Queue
from reviewapp.queues.progress import Progress, queue_progress
from reviewapp.queues.rubric.versions import PRESETS

NOTHING_CREATED, NOTHING_CHANGED = "No queue was created.", "The queue was not changed."
NAME_SCHEMA: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 120, "description": "Its name on pages"}
REVIEWERS_SCHEMA: dict[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_REVIEWERS,
    "description": "How many people review each item; 1 by default",
}
NEW_QUEUE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["slug", "name"],
    "additionalProperties": False,
    "properties": {
        "slug": {
            "type": "string",
            "minLength": 1,
            "maxLength": 62,
            "description": "Its name in URLs: small letters, digits and hyphens. It cannot be changed",
        },
        "name": NAME_SCHEMA,
        "question": {"type": "string", "maxLength": 400, "description": "What the score is for"},
        "preset": {"type": "string", "enum": sorted(PRESETS), "description": "The scale of its score"},
        "reviewers_per_item": REVIEWERS_SCHEMA,
    },
}
CHANGES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": NAME_SCHEMA,
        "reviewers_per_item": REVIEWERS_SCHEMA,
        "is_archived": {
            "type": "boolean",
            "description": "Lists leave an archived queue out, rules do not fill it and nothing can be added to it;"
            " its reviews stay",
        },
    },
}
EXAMPLE_QUEUE: dict[str, object] = {
    "slug": "answers",
    "name": "Answers",
    "question": "Does it pass? 1 is pass, 0 is fail.",
    "unit": "traces",
    "reviewers_per_item": 1,
    "rubric_version": 3,
    "created_at": "2026-11-30T12:00:00.000000Z",
    "archived_at": None,
    "counts": {"pending": 12, "completed": 30, "skipped": 1},
}
EXAMPLE_DETAILS: dict[str, object] = {
    **EXAMPLE_QUEUE,
    "guideline": "Fail an answer that invents a fact.",
    "score": {"min": 0, "max": 1, "step": 1},
    "criteria": [{"key": "tone", "kind": "choice", "label": "Tone", "options": ["friendly", "rude"]}],
    "pushed_keys": ["score", "notes", "needs_review", "reviewer", "review_rev", "tone"],
}
NO_QUEUE: openapi.Response = (
    "The token's project has no such queue.",
    {"error": "There is no queue “answers” in this token's project.", "line": None},
)
COMMON_RESPONSES: dict[int, openapi.Response] = {
    401: openapi.UNAUTHORIZED,
    403: openapi.MISSING_SCOPE,
    405: openapi.METHOD_NOT_ALLOWED,
    429: openapi.RATE_LIMITED,
}
LIST_RESPONSES = COMMON_RESPONSES | {
    200: ("A page of queues.", {"queues": [EXAMPLE_QUEUE], "next_cursor": None}),
    400: ("A parameter is not valid.", {"error": "The limit must be a whole number from 1 to 1,000.", "line": None}),
}
BODY_RESPONSES = COMMON_RESPONSES | {413: openapi.too_large(NOTHING_CHANGED), 415: openapi.UNSUPPORTED_CHARSET}
CREATE_RESPONSES = BODY_RESPONSES | {
    201: ("The queue was created.", EXAMPLE_DETAILS),
    400: (
        "The body is not valid, or the slug or the name is taken. No queue was created.",
        {
            "error": f"The project already has a queue “answers”. Choose another address. {NOTHING_CREATED}",
            "line": None,
        },
    ),
    413: openapi.too_large(NOTHING_CREATED),
}
CHANGE_RESPONSES = BODY_RESPONSES | {
    200: ("The queue as it is now.", EXAMPLE_DETAILS),
    400: (
        "The body is not valid. Nothing was changed.",
        {"error": f"The field is_archived must be true or false. {NOTHING_CHANGED}", "line": None},
    ),
    404: NO_QUEUE,
}
QueuePath = PathEx[str, P(description="The queue's name in its URL", example="answers")]

router = Router()


class CountsOut(Schema):
    pending: int
    completed: int
    skipped: int


class QueueOut(Schema):
    slug: str
    name: str
    question: str
    unit: str = Field(description="What an item stands for: traces or sessions")
    reviewers_per_item: int
    rubric_version: int
    created_at: str
    archived_at: str | None
    counts: CountsOut = Field(description="The number of items in each state")


class QueueListOut(Schema):
    queues: list[QueueOut]
    next_cursor: str | None = Field(description="The cursor of the next page; null at the end")


class ScoreOut(Schema):
    min: float
    max: float
    step: float


class QueueDetailsOut(QueueOut):
    guideline: str = Field(description="How to judge, as Markdown")
    score: ScoreOut
    criteria: list[dict[str, Any]] = Field(description="What is asked besides score and notes")
    pushed_keys: list[str] = Field(description="The metadata keys that a review writes")


@router.get(
    "/queues",
    response={200: QueueListOut} | dict.fromkeys((400, 401, 403, 405, 429), ErrorOut),
    summary="List queues",
    openapi_extra=openapi.describe_responses(LIST_RESPONSES)
    | {
        "parameters": [
            paging.LIMIT_PARAMETER,
            paging.CURSOR_PARAMETER,
            {
                "in": "query",
                "name": "archived",
                "required": False,
                "schema": {"type": "string", "enum": ["no", "yes", "all"], "default": "no"},
                "description": "Whether to list archived queues",
            },
        ]
    },
)
def list_queues(request: HttpRequest) -> Status[dict[str, object]]:
    """The project's queues in the order in which they were created, archived ones only if asked for."""
    try:
        queues = _filter_archived(require_scope(request, Scope.READ).project, request.GET.get("archived", "no"))
        page, next_cursor = paging.cut_page(queues, request.GET)
    except RequestRejected as error:
        return error_response(error, "Parameter", "")
    content = [describe_queue(queue, queue_progress(queue)) for queue in page]
    return Status(200, {"queues": content, "next_cursor": next_cursor})


@router.post(
    "/queues",
    response={201: QueueDetailsOut} | dict.fromkeys((400, 401, 403, 405, 413, 415, 429), ErrorOut),
    summary="Create a queue",
    openapi_extra=openapi.describe_body(
        NEW_QUEUE_SCHEMA,
        {
            "Pass or fail": {"slug": "answers", "name": "Answers", "preset": "pass-fail"},
            "Two reviewers per item": {
                "slug": "tone",
                "name": "Tone",
                "question": "How polite is the answer?",
                "preset": "1-5",
                "reviewers_per_item": 2,
            },
        },
    )
    | openapi.describe_responses(CREATE_RESPONSES),
)
def post_queue(request: HttpRequest) -> Status[dict[str, object]]:
    """Its criteria and guideline are edited in the browser, its metadata keys are the usual ones."""
    token = require_scope(request, Scope.QUEUE)
    try:
        fields = parse_new_queue(parse_body(request))
        queue = create_queue(token.project, actor=f"token:{token.name}", **fields)
    except RequestRejected as error:
        return error_response(error, "Field", NOTHING_CREATED)
    except ValidationError as error:
        return error_response(RequestRejected(" ".join(error.messages)), "Field", NOTHING_CREATED)
    return Status(201, describe_details(queue))


@router.get(
    "/queues/{slug:queue}",
    response={200: QueueDetailsOut} | dict.fromkeys((401, 403, 404, 405, 429), ErrorOut),
    summary="Read a queue",
    openapi_extra=openapi.describe_responses(
        COMMON_RESPONSES | {200: ("The queue with its rubric.", EXAMPLE_DETAILS), 404: NO_QUEUE}
    ),
)
def get_queue(request: HttpRequest, queue: QueuePath) -> Status[dict[str, object]]:
    """A queue with its rubric and its counts."""
    try:
        return Status(200, describe_details(find_queue(require_scope(request, Scope.READ), queue)))
    except RequestRejected as error:
        return error_response(error, "Queue", "")


@router.patch(
    "/queues/{slug:queue}",
    response={200: QueueDetailsOut} | dict.fromkeys((400, 401, 403, 404, 405, 413, 415, 429), ErrorOut),
    summary="Change or archive a queue",
    openapi_extra=openapi.describe_body(
        CHANGES_SCHEMA, {"Archive": {"is_archived": True}, "Rename": {"name": "Answers of May"}}
    )
    | openapi.describe_responses(CHANGE_RESPONSES),
)
def patch_queue(request: HttpRequest, queue: QueuePath) -> Status[dict[str, object]]:
    """Settings that are not sent stay as they are."""
    token = require_scope(request, Scope.QUEUE)
    try:
        target = find_queue(token, queue)
        changes = parse_changes(parse_body(request))
        if "is_archived" in changes:
            is_archived = changes.pop("is_archived")
            if is_archived != (target.archived_at is not None):
                changes["archived_at"] = clock.now() if is_archived else None
        if changes:
            change_queue(target, f"token:{token.name}", changes)
    except RequestRejected as error:
        return error_response(error, "Field", NOTHING_CHANGED)
    except ValidationError as error:
        return error_response(RequestRejected(" ".join(error.messages)), "Field", NOTHING_CHANGED)
    return Status(200, describe_details(target))


def find_queue(token: AccessToken, slug: str) -> Queue:
    """The queue of the token's project. Raises RequestRejected with status 404."""
    queue = Queue.objects.select_related("project").filter(project=token.project, slug=slug).first()
    if queue is None:
        raise RequestRejected(f"There is no queue “{slug}” in this token's project.", status=404)
    return queue


def parse_new_queue(body: Any) -> dict[str, Any]:
    """Validate parsed JSON against what NEW_QUEUE_SCHEMA says. Raises RequestRejected."""
    fields = _parse_fields(body, NEW_QUEUE_SCHEMA)
    if missing := [name for name in NEW_QUEUE_SCHEMA["required"] if name not in fields]:
        raise RequestRejected(f"The field {missing[0]} is missing.")
    return fields


def parse_changes(body: Any) -> dict[str, Any]:
    """Validate parsed JSON against what CHANGES_SCHEMA says. Raises RequestRejected."""
    return _parse_fields(body, CHANGES_SCHEMA)


def _parse_fields(body: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise RequestRejected("Send a JSON object.")
    refuse_unknown_fields(body, set(schema["properties"]))
    return {name: _parse_field(name, value, schema["properties"][name]) for name, value in body.items()}


def _parse_field(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    if schema["type"] == "boolean":
        if not isinstance(value, bool):
            raise RequestRejected(f"The field {name} must be true or false.")
    elif schema["type"] == "integer":
        if type(value) is not int or not schema["minimum"] <= value <= schema["maximum"]:
            limits = f"{schema['minimum']} to {schema['maximum']}"
            raise RequestRejected(f"The field {name} must be a whole number from {limits}.")
    elif not isinstance(value, str):
        raise RequestRejected(f"The field {name} must be a string.")
    elif "enum" in schema:
        if value not in schema["enum"]:
            raise RequestRejected(f"The field {name} must be one of: {', '.join(schema['enum'])}.")
    elif not schema.get("minLength", 0) <= len(value) <= schema["maxLength"]:
        limits = f"{schema.get('minLength', 0)} to {schema['maxLength']}"
        raise RequestRejected(f"The field {name} has {len(value):,} characters; it must have {limits}.")
    check_text(value)
    return value


def _filter_archived(project: Project, archived: str) -> Any:
    queues = Queue.objects.filter(project=project)
    if archived not in ("no", "yes", "all"):
        raise RequestRejected("The parameter archived must be one of: no, yes, all.")
    return queues if archived == "all" else queues.filter(archived_at__isnull=archived == "no")


def describe_queue(queue: Queue, progress: Progress) -> dict[str, object]:
    return {
        "slug": queue.slug,
        "name": queue.name,
        "question": queue.question,
        "unit": queue.unit,
        "reviewers_per_item": queue.reviewers_per_item,
        "rubric_version": queue.rubric_version,
        "created_at": clock.iso(queue.created_at),
        "archived_at": queue.archived_at and clock.iso(queue.archived_at),
        "counts": {
            "pending": progress.pending,
            "completed": progress.completed,
            "skipped": progress.skipped,
        },
    }


def describe_details(queue: Queue) -> dict[str, object]:
    bounds = {"min": queue.score_min, "max": queue.score_max, "step": queue.score_step}
    criteria = [member for member in canonical_json.loads(queue.criteria) if "score" not in member]
    return describe_queue(queue, queue_progress(queue)) | {
        "guideline": queue.guideline,
        "score": {name: float(format_decimal(bound)) for name, bound in bounds.items()},
        "criteria": criteria,
        "pushed_keys": queue.pushed_keys,
    }
