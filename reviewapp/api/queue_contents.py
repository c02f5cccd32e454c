"""What a queue has: its items and their reviews, page by page; removing and requeueing an item."""

from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.http import HttpRequest, HttpResponse
from ninja import Field, P, PathEx, Router, Schema, Status

from reviewapp.api import items, openapi, paging
from reviewapp.api.queues import COMMON_RESPONSES, NO_QUEUE, QueuePath, find_queue
from reviewapp.api.request_handling import ErrorOut, RequestRejected, error_response, require_scope
from reviewapp.keys.models import Scope
from reviewapp.lib import canonical_json, clock
from reviewapp.queues.adding import QueueArchivedError
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.removing import remove
from reviewapp.queues.requeueing import requeue
from reviewapp.reviews.models import Review

EXAMPLE_ITEM: dict[str, object] = {
    "id": 4711,
    "trace_id": openapi.EXAMPLE_TRACE_ID,
    "state": "completed",
    "reason": "The customer complained",
    "reference": "order 17",
    "priority": 10,
    "source": "api",
    "stratum": "",
    "sampling_probability": None,
    "review_count": 1,
    "added_by": "token:ci",
    "added_at": "2026-11-30T12:00:00.000000Z",
    "completed_at": "2026-11-30T13:00:00.000000Z",
    "changed_at": "2026-11-30T13:00:00.000000Z",
    "due_at": None,
}
EXAMPLE_REVIEW: dict[str, object] = {
    "id": 815,
    "item": 4711,
    "trace_id": openapi.EXAMPLE_TRACE_ID,
    "reference": "order 17",
    "revision": 1,
    "is_latest": True,
    "reviewer": "rosa",
    "submitted_at": "2026-11-30T13:00:00.000000Z",
    "undone_at": None,
    "changed_at": "2026-11-30T13:00:00.000000Z",
    "score": 1,
    "is_unsure": False,
    "needs_review": False,
    "notes": "Right.",
    "answers": {"tone": "friendly"},
    "rubric_version": 3,
    "delivery": "confirmed",
}
NEXT_TIME = "2026-11-30T13:04:00.000000Z"
BAD_PARAMETER: openapi.Response = (
    "A parameter is not valid.",
    {"error": "The limit must be a whole number from 1 to 1,000.", "line": None},
)
ITEM_RESPONSES = COMMON_RESPONSES | {
    200: ("A page of items.", {"items": [EXAMPLE_ITEM], "next_cursor": None, "next_updated_since": NEXT_TIME}),
    400: BAD_PARAMETER,
    404: NO_QUEUE,
}
REVIEW_RESPONSES = COMMON_RESPONSES | {
    200: ("A page of reviews.", {"reviews": [EXAMPLE_REVIEW], "next_cursor": None, "next_updated_since": NEXT_TIME}),
    400: BAD_PARAMETER,
    404: NO_QUEUE,
}
REMOVE_RESPONSES = COMMON_RESPONSES | {
    200: ("The item was removed.", {"id": 4711, "trace_id": openapi.EXAMPLE_TRACE_ID, "state": "removed"}),
    404: ("The queue has no such item.", {"error": "There is no item 4711 in the queue “answers”.", "line": None}),
    409: (
        "The item has been reviewed, or somebody has it open. It was not removed.",
        {"error": "The item has been reviewed, or somebody has it open. It was not removed.", "line": None},
    ),
}
REQUEUE_RESPONSES = COMMON_RESPONSES | {
    200: ("The item is pending.", {"id": 4711, "trace_id": openapi.EXAMPLE_TRACE_ID, "state": "pending"}),
    404: REMOVE_RESPONSES[404],
    409: (
        "The queue is archived. Nothing was changed.",
        {"error": f"{QueueArchivedError()} Nothing was changed.", "line": None},
    ),
}
PAGE_PARAMETERS = [paging.LIMIT_PARAMETER, paging.CURSOR_PARAMETER, paging.UPDATED_SINCE_PARAMETER]
STATE_PARAMETER = {
    "in": "query",
    "name": "state",
    "required": False,
    "schema": {"type": "string", "enum": ItemState.values},
    "description": "Only items in this state",
}
REVISIONS_PARAMETER = {
    "in": "query",
    "name": "revisions",
    "required": False,
    "schema": {"type": "string", "enum": ["latest", "all"], "default": "latest"},
    "description": "Only the newest revision of each review, or all, undone ones included",
}

ItemPath = PathEx[int, P(description="The item's id", example=4711)]

# Ninja routes a path by one router: the endpoints of items are on theirs.
router = Router()


class ItemDetailsOut(Schema):
    id: int
    trace_id: str
    state: str = Field(json_schema_extra={"enum": [*ItemState.values]})
    reason: str
    reference: str
    priority: int
    source: str = Field(description="How it came into the queue: paste, file, api, view or rule; empty if unknown")
    stratum: str = Field(description="Which of its rule's two shares it belongs to: matches or rest; else empty")
    sampling_probability: float | None = Field(
        description="How likely its trace was to be in the queue; null if it was chosen by hand"
    )
    review_count: int = Field(description="How many people have reviewed it, if the queue asks several")
    added_by: str
    added_at: str
    completed_at: str | None
    changed_at: str
    due_at: str | None = Field(description="When it should be reviewed by")


class ItemListOut(Schema):
    items: list[ItemDetailsOut]
    next_cursor: str | None = Field(description="The cursor of the next page; null at the end")
    next_updated_since: str = Field(description="What to send as updated_since next time, to get only what changed")


class ReviewOut(Schema):
    id: int
    item: int
    trace_id: str
    reference: str
    revision: int
    is_latest: bool = Field(description="Whether it is the person's newest revision of this item")
    reviewer: str
    submitted_at: str
    undone_at: str | None
    changed_at: str = Field(description="When it was submitted or undone")
    score: float | None
    is_unsure: bool
    needs_review: bool
    notes: str
    answers: dict[str, Any] = Field(description="The answers to the queue's criteria by key, as they were given")
    rubric_version: int
    delivery: str = Field(description="The state of its patch: see GET /patches; or not pushed")


class ReviewListOut(Schema):
    reviews: list[ReviewOut]
    next_cursor: str | None = Field(description="The cursor of the next page; null at the end")
    next_updated_since: str = Field(description="What to send as updated_since next time, to get only what changed")


@items.router.get(
    "/queues/{slug:queue}/items",
    response={200: ItemListOut} | dict.fromkeys((400, 401, 403, 404, 405, 429), ErrorOut),
    summary="List a queue's items",
    openapi_extra=openapi.describe_responses(ITEM_RESPONSES) | {"parameters": [*PAGE_PARAMETERS, STATE_PARAMETER]},
)
def list_items(request: HttpRequest, queue: QueuePath) -> Status[dict[str, object]]:
    """Items in the order in which they were added or, with updated_since, in which they changed."""
    next_time = paging.next_updated_since()
    try:
        items = QueueItem.objects.filter(queue=find_queue(require_scope(request, Scope.READ), queue)).select_related(
            "sample_day"
        )
        if (state := request.GET.get("state")) is not None:
            items = items.filter(state=_check_choice("state", state, ItemState.values))
        since = paging.parse_updated_since(request.GET)
        if since is not None:
            items = items.filter(changed_at__gte=since)
        page, next_cursor = paging.cut_page(items, request.GET, time_field="changed_at" if since else "")
    except RequestRejected as error:
        return error_response(error, "Parameter", "")
    content = [_describe_item(item) for item in page]
    return Status(200, {"items": content, "next_cursor": next_cursor, "next_updated_since": next_time})


@items.router.delete(
    "/queues/{slug:queue}/items/{int:item}",
    response={200: dict[str, Any]} | dict.fromkeys((401, 403, 404, 405, 409, 429), ErrorOut),
    summary="Remove an item",
    openapi_extra=openapi.describe_responses(REMOVE_RESPONSES),
)
def remove_item(request: HttpRequest, queue: QueuePath, item: ItemPath) -> Status[dict[str, object]]:
    """Remove an item that nobody has reviewed. Rules do not add its trace again."""
    token = require_scope(request, Scope.QUEUE)
    try:
        row = _find_item(find_queue(token, queue), item)
        if not remove(row, f"token:{token.name}"):
            raise RequestRejected(str(REMOVE_RESPONSES[409][0]), status=409)
    except RequestRejected as error:
        return error_response(error, "Item", "")
    return Status(200, {"id": item, "trace_id": str(row.trace_id), "state": "removed"})


@items.router.post(
    "/queues/{slug:queue}/items/{int:item}/requeue",
    response={200: dict[str, Any]} | dict.fromkeys((401, 403, 404, 405, 409, 429), ErrorOut),
    summary="Requeue an item",
    openapi_extra=openapi.describe_responses(REQUEUE_RESPONSES),
)
def requeue_item(request: HttpRequest, queue: QueuePath, item: ItemPath) -> Status[dict[str, object]]:
    """Make a completed or skipped item pending again; its reviews stay. A pending item does not change."""
    token = require_scope(request, Scope.QUEUE)
    try:
        target = find_queue(token, queue)
        row = _find_item(target, item)
        if target.archived_at is not None:
            raise RequestRejected(str(QueueArchivedError()), status=409)
        requeue(target, f"token:{token.name}", [row.pk])
    except RequestRejected as error:
        return error_response(error, "Item", "Nothing was changed.")
    return Status(200, {"id": item, "trace_id": str(row.trace_id), "state": ItemState.PENDING.value})


@router.get(
    "/queues/{slug:queue}/reviews",
    response={200: ReviewListOut} | dict.fromkeys((400, 401, 403, 404, 405, 429), ErrorOut),
    summary="List a queue's reviews",
    openapi_extra=openapi.describe_responses(REVIEW_RESPONSES)
    | {"parameters": [*PAGE_PARAMETERS, REVISIONS_PARAMETER]},
)
def list_reviews(request: HttpRequest, queue: QueuePath) -> HttpResponse | Status[dict[str, object]]:
    """Reviews in the order in which they were submitted or, with updated_since, in which they changed."""
    next_time = paging.next_updated_since()
    try:
        reviews = _select_reviews(
            find_queue(require_scope(request, Scope.READ), queue), request.GET.get("revisions", "latest")
        )
        since = paging.parse_updated_since(request.GET)
        if since is not None:
            reviews = reviews.filter(Q(submitted_at__gte=since) | Q(undone_at__gte=since))
        page, next_cursor = paging.cut_page(reviews, request.GET, time_field="changed_at" if since else "")
    except RequestRejected as error:
        return error_response(error, "Parameter", "")
    content = [describe_review(review) for review in page]
    # Not by Ninja's own renderer, which would write the numbers of answers its own way.
    text = canonical_json.dumps({"reviews": content, "next_cursor": next_cursor, "next_updated_since": next_time})
    return HttpResponse(text, content_type="application/json")


def _find_item(queue: Queue, pk: int) -> QueueItem:
    """Raises RequestRejected with status 404."""
    # Larger numbers are no primary keys.
    item = QueueItem.objects.filter(queue=queue, pk=pk).first() if pk < 2**63 else None
    if item is None:
        raise RequestRejected(f"There is no item {pk} in the queue “{queue.slug}”.", status=404)
    item.queue = queue
    return item


def _select_reviews(queue: Queue, revisions: str) -> "QuerySet[Review]":
    reviews = Review.objects.filter(item__queue=queue).select_related("item", "reviewer", "patch")
    # SQLite's greatest value of a null is null.
    changed_at = Greatest(F("submitted_at"), Coalesce(F("undone_at"), F("submitted_at")))
    reviews = reviews.annotate(changed_at=changed_at)
    is_latest_only = _check_choice("revisions", revisions, ["latest", "all"]) == "latest"
    return reviews.filter(is_latest=True) if is_latest_only else reviews


def _check_choice(name: str, value: str, choices: list[str]) -> str:
    if value not in choices:
        raise RequestRejected(f"The parameter {name} must be one of: {', '.join(choices)}.")
    return value


def _describe_item(item: QueueItem) -> dict[str, object]:
    return {
        "id": item.pk,
        "trace_id": str(item.trace_id),
        "state": item.state,
        "reason": item.reason,
        "reference": item.reference,
        "priority": item.priority,
        "source": item.source,
        "stratum": item.stratum,
        "sampling_probability": item.sampling_probability,
        "review_count": item.review_count,
        "added_by": item.added_by,
        "added_at": clock.iso(item.added_at),
        "completed_at": item.completed_at and clock.iso(item.completed_at),
        "changed_at": clock.iso(item.changed_at),
        "due_at": item.due_at and clock.iso(item.due_at),
    }


def describe_review(review: Review) -> dict[str, object]:
    """A review with its item as the API and exports give it."""
    return {
        "id": review.pk,
        "item": review.item_id,
        "trace_id": str(review.item.trace_id),
        "reference": review.item.reference,
        "revision": review.revision,
        "is_latest": review.is_latest,
        "reviewer": review.reviewer.username,
        "submitted_at": clock.iso(review.submitted_at),
        "undone_at": review.undone_at and clock.iso(review.undone_at),
        "changed_at": clock.iso(max(review.submitted_at, review.undone_at or review.submitted_at)),
        "score": review.score,
        "is_unsure": review.is_unsure,
        "needs_review": review.needs_review,
        "notes": review.notes,
        "answers": review.criterion_answers,
        "rubric_version": review.rubric_version,
        "delivery": review.delivery_state,
    }
