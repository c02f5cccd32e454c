"""`patches`: push metadata of other programs to Laminar, delivered the same way as a review, and read its state."""

from datetime import datetime
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, P, PathEx, Router, Schema, Status

from reviewapp.accounts.models import Project
from reviewapp.api import openapi
from reviewapp.api.patch_openapi import EXAMPLES, SCHEMA
from reviewapp.api.request_handling import (
    ErrorOut,
    ListErrorOut,
    Refused,
    RefusedOut,
    RequestRejected,
    all_refused,
    describe_refused,
    error_response,
    parse_body,
    parse_each,
    refuse,
    refuse_unknown_fields,
    require_scope,
)
from reviewapp.delivery import intake, patch_validation
from reviewapp.delivery.intake import MAX_BATCH_SIZE
from reviewapp.delivery.models import Patch, State
from reviewapp.delivery.patch_validation import InvalidPatchError, PatchInput
from reviewapp.keys.models import AccessToken, Scope
from reviewapp.queues.key_conflicts import collect_warnings, find_review_keys

STATE_DESCRIPTIONS = {
    State.WAITING: "Saved in the review desk, not pushed to Laminar yet.",
    State.SENDING: "Being pushed to Laminar.",
    State.ACCEPTED: "Laminar answered 200; the values have not been read back yet.",
    State.CONFIRMED: "Every value was read back from the trace.",
    State.PARKED: "Not delivered. A person has to look at it: see reason and last_error.",
    State.SUPERSEDED: "Replaced by a newer patch of the same trace, which carries its values.",
}
NOTHING_SAVED = "Nothing was saved."
IDEMPOTENCY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": SCHEMA["oneOf"][0]["properties"]["idempotency_key"] | {"type": "string"},
    "description": "For a single patch: the same as idempotency_key in the body. Send one of them",
}
EXAMPLE_RECEIPT = {
    "id": 12, "trace_id": openapi.EXAMPLE_TRACE_ID, "state": "waiting", "is_new": True, "url": "/api/v1/patches/12",
}  # fmt: skip
EXAMPLE_PROGRESS = {
    "id": 12,
    "state": "confirmed",
    "means": STATE_DESCRIPTIONS[State.CONFIRMED],
    "reason": "",
    "last_error": "",
    "created_at": "2026-11-30T10:12:00.000Z",
    "accepted_at": "2026-11-30T10:12:01.250Z",
    "confirmed_at": "2026-11-30T10:12:04.500Z",
}
POST_RESPONSES: dict[int, openapi.Response] = {
    202: (
        "Saved in the review desk, and delivered to Laminar by the worker. For a single patch, the Location header is"
        " where to read its state.",
        {**EXAMPLE_RECEIPT, "warnings": []},
    ),
    207: (
        "Of a list: the patches in “refused” are not valid, or their idempotency keys were used for other patches. All"
        " others are saved.",
        {
            "patches": [EXAMPLE_RECEIPT],
            "warnings": [],
            "refused": [{"index": 1, "id": None, "reason": "The trace_id is missing or not a text."}],
        },
    ),
    400: (
        "The body, or every patch in it, is not valid. Nothing was saved.",
        {"error": f"Patch 3: The metadata is empty: give at least one key. {NOTHING_SAVED}", "line": 3},
    ),
    401: openapi.UNAUTHORIZED,
    403: openapi.MISSING_SCOPE,
    405: openapi.METHOD_NOT_ALLOWED,
    413: openapi.too_large(NOTHING_SAVED),
    415: openapi.UNSUPPORTED_CHARSET,
    422: (
        "The idempotency key, or each one of a list, was already used for a different patch. Nothing was saved.",
        {
            "error": "The idempotency key “run 7” was already used for another patch. Use a new key for this one."
            f" {NOTHING_SAVED}",
            "line": None,
        },
    ),
    429: openapi.RATE_LIMITED,
}
GET_RESPONSES: dict[int, openapi.Response] = {
    200: (
        "The patch and its state.",
        {
            **EXAMPLE_PROGRESS,
            "trace_id": openapi.EXAMPLE_TRACE_ID,
            "metadata": {"judge.score": 0.5},
            "tags": ["checked"],
            "superseded_by": None,
            "carried_by": None,
        },
    ),
    401: openapi.UNAUTHORIZED,
    403: openapi.MISSING_SCOPE,
    404: (
        "The token's project has no such patch.",
        {"error": "There is no patch 12 in this token's project.", "line": None},
    ),
    405: openapi.METHOD_NOT_ALLOWED,
    429: openapi.RATE_LIMITED,
}
STATE_ENUM: dict[str, Any] = {"enum": list(State.values)}
router = Router()


class PatchReceiptOut(Schema):
    """A patch that is saved."""

    id: int
    trace_id: str
    state: str = Field(json_schema_extra=STATE_ENUM)
    is_new: bool = Field(description="False if the same idempotency key had saved it before")
    url: str = Field(description="Where to read its state")


class SinglePatchOut(PatchReceiptOut):
    """A patch that is saved, with warnings about its metadata."""

    model_config = {"title": "One patch"}

    warnings: list[str] = Field(description="Sentences about metadata that may behave unexpectedly")


class PatchListOut(Schema):
    """Patches that are saved, in the order of the call, with warnings about their metadata."""

    model_config = {"title": "List of patches"}

    patches: list[PatchReceiptOut]
    warnings: list[str] = Field(description="Sentences about metadata that may behave unexpectedly, each once")


class PartlySavedOut(PatchListOut):
    """Patches that are saved, and the others of the call."""

    model_config = {"title": "List of patches, some refused"}

    refused: list[RefusedOut]


class PatchProgressOut(Schema):
    """The delivery state of a patch."""

    id: int
    state: str = Field(json_schema_extra=STATE_ENUM)
    means: str = Field(description="The state as a sentence")
    reason: str = Field(description="Why it is parked; empty if it is not")
    last_error: str = Field(description="What Laminar or the network said last; empty if nothing went wrong")
    created_at: datetime
    accepted_at: datetime | None
    confirmed_at: datetime | None


class PatchOut(PatchProgressOut):
    """A patch and its delivery state."""

    trace_id: str
    metadata: dict[str, Any]
    tags: list[str]
    superseded_by: int | None = Field(description="The patch that replaced it")
    carried_by: PatchProgressOut | None = Field(
        description="If it was superseded: the newest patch that carries its keys, and that patch's state"
    )


class PatchesInput(NamedTuple):
    """A validated body: the patches by their position in it, and those that are not valid."""

    patches: dict[int, PatchInput]
    refused: list[Refused]


@router.post(
    "/patches",
    response={202: SinglePatchOut | PatchListOut, 207: PartlySavedOut}
    | dict.fromkeys((400, 422), ListErrorOut | ErrorOut)
    | dict.fromkeys((401, 403, 405, 413, 415, 429), ErrorOut),
    summary="Push metadata to traces",
    openapi_extra=openapi.describe_body(SCHEMA, EXAMPLES)
    | openapi.describe_responses(POST_RESPONSES)
    | {"parameters": [IDEMPOTENCY_HEADER]},
)  # fmt: skip
def put_patches(request: HttpRequest, response: HttpResponse) -> Status[dict[str, object]]:
    """Save one patch, or a list of up to 100. The worker then pushes them to Laminar.

    A patch of a list that is not valid does not stop the others: the answer is a 207, and “refused” has its position
    and the reason. If no patch is valid, the answer is a 400.

    A 202 means that the patch is on disk in the review desk, not yet in Laminar. With an idempotency key a patch is
    saved once, however often the call is repeated; the same key with other content is a 422.
    """
    token = require_scope(request, Scope.PATCH)
    try:
        body = parse_body(request)
        is_list = is_patch_list(body)
        parsed = parse_patches(body, request.headers.get("Idempotency-Key"))
        _refuse_review_keys(token, parsed, is_list=is_list)
        # Before saving: nothing that fails after the commit may hide that the patches were saved.
        warnings = collect_warnings(token.project, list(parsed.patches.values()))
        results = _save(token.project, parsed, f"token:{token.name}", is_list=is_list)
    except RequestRejected as error:
        return error_response(error, "Patch", NOTHING_SAVED)
    if is_list:
        content = {"patches": [_describe_result(result) for result in results], "warnings": warnings}
        if not parsed.refused:
            return Status(202, content)
        return Status(207, {**content, "refused": describe_refused(sorted(parsed.refused))})
    receipt = _describe_result(results[0])
    response["Location"] = str(receipt["url"])
    return Status(202, {**receipt, "warnings": warnings})


@router.get(
    "/patches/{number:patch}",
    response={200: PatchOut} | dict.fromkeys((401, 403, 404, 405, 429), ErrorOut),
    summary="Read the delivery state of a patch",
    url_name="patch",
    openapi_extra=openapi.describe_responses(GET_RESPONSES),
)
def get_patch(
    request: HttpRequest, patch: PathEx[int, P(description="The id that saving the patch returned", example=12)]
) -> Status[dict[str, object]]:
    """Read any patch of the token's project, including those of reviews.

    Poll until it is confirmed or parked. If it is superseded, follow carried_by instead.
    """
    project = require_scope(request, Scope.READ).project
    row = Patch.objects.filter(project=project, pk=patch).first()
    if row is None:
        return Status(404, {"error": f"There is no patch {patch} in this token's project."})
    carrier = intake.find_carrier(row)
    content = {
        "trace_id": str(row.trace_id), "metadata": row.values, "tags": row.tag_names,
        "superseded_by": row.superseded_by_id, "carried_by": None if carrier is None else _describe_progress(carrier),
    }  # fmt: skip
    return Status(200, {**_describe_progress(row), **content})


def _refuse_review_keys(token: AccessToken, parsed: PatchesInput, *, is_list: bool) -> None:
    """Move patches with keys that reviews write to the refused ones, unless granted. Raises RequestRejected."""
    review_keys = set() if token.has_scope(Scope.REVIEW_KEYS) else find_review_keys(token.project)
    for index, patch in list(parsed.patches.items()):
        if not (shared := sorted(review_keys.intersection(patch.metadata))):
            continue
        sentence = f"Reviews write “{shared[0]}”, and this access token lacks the scope “{Scope.REVIEW_KEYS.value}”."
        if not is_list:
            raise RequestRejected(sentence, status=403)
        del parsed.patches[index]
        parsed.refused.append(refuse(index, {"trace_id": str(patch.trace_id)}, sentence))
    if not parsed.patches:
        raise all_refused(sorted(parsed.refused), status=403)


def is_patch_list(body: Any) -> bool:
    return isinstance(body, dict) and "patches" in body


def parse_patches(body: Any, idempotency_key: str | None = None) -> PatchesInput:
    """Validate parsed JSON against what SCHEMA says, and more that it cannot.

    `idempotency_key` is the header's, for a single patch only.
    Raises RequestRejected if the body or every patch in it is not valid.
    """
    if is_patch_list(body):
        return _parse_list(body, idempotency_key)
    if idempotency_key is not None and isinstance(body, dict):
        if "idempotency_key" in body:
            raise RequestRejected("The idempotency key is given twice. Send it in the header or in the body.")
        body = {**body, "idempotency_key": idempotency_key}
    return PatchesInput({0: _parse_patch(body)}, [])


def _parse_list(body: dict[str, Any], idempotency_key: str | None) -> PatchesInput:
    if idempotency_key is not None:
        raise RequestRejected(
            "The Idempotency-Key header is for a single patch. In a list, give each patch an idempotency_key."
        )
    refuse_unknown_fields(body, {"patches"})
    patches = body["patches"]
    if not isinstance(patches, list):
        raise RequestRejected('Send an object of the form {"patches": [{"trace_id": "…", "metadata": {…}}]}.')
    if not patches:
        raise RequestRejected("The list of patches is empty.")
    if len(patches) > MAX_BATCH_SIZE:
        raise RequestRejected(
            f"The list has {len(patches):,} patches; the maximum is {MAX_BATCH_SIZE} per call. Split it."
        )
    return PatchesInput(*parse_each(patches, _parse_patch))


def _parse_patch(patch: Any) -> PatchInput:
    try:
        return patch_validation.parse_patch_input(patch)
    except InvalidPatchError as error:
        raise RequestRejected(str(error)) from None


def _save(project: Project, parsed: PatchesInput, source: str, *, is_list: bool) -> list[intake.PutResult]:
    """Save the patches; move those whose idempotency key is another's to the refused ones. Raises RequestRejected."""
    while parsed.patches:
        try:
            return intake.put_patches(project, list(parsed.patches.values()), source=source)
        except intake.IdempotencyKeyReusedError as error:
            if not is_list:
                raise RequestRejected(str(error), status=422) from None
            indexes = list(parsed.patches)
            for position, sentence in error.sentences.items():
                patch = parsed.patches.pop(indexes[position])
                parsed.refused.append(refuse(indexes[position], {"trace_id": str(patch.trace_id)}, sentence))
    raise all_refused(sorted(parsed.refused), status=422)


def _describe_result(result: intake.PutResult) -> dict[str, object]:
    patch = result.patch
    return {
        "id": patch.pk, "trace_id": str(patch.trace_id), "state": patch.state, "is_new": result.is_new,
        "url": reverse("api:patch", args=[patch.pk]),
    }  # fmt: skip


def _describe_progress(patch: Patch) -> dict[str, object]:
    return {
        "id": patch.pk, "state": patch.state, "means": _describe_state(patch), "reason": patch.reason,
        "last_error": patch.last_error, "created_at": patch.created_at, "accepted_at": patch.accepted_at,
        "confirmed_at": patch.confirmed_at,
    }  # fmt: skip


def _describe_state(patch: Patch) -> str:
    if patch.state == State.SUPERSEDED and patch.superseded_by_id is None:
        return "Undone before it was pushed."
    return STATE_DESCRIPTIONS[State(patch.state)]
