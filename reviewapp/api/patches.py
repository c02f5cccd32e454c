"""`patches`: metadata of other programs, put on the same way to Laminar as a review, and how far each has come."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Router, Schema, Status

from reviewapp.accounts.models import Project
from reviewapp.api.request_handling import ErrorOut, RequestRejected, error_response, get_token, parse_body
from reviewapp.delivery import intake, patch_input
from reviewapp.delivery.intake import MAX_BATCH_SIZE
from reviewapp.delivery.models import Patch, State
from reviewapp.delivery.patch_input import InvalidPatchError, PatchInput
from reviewapp.queues.key_conflicts import collect_warnings

MEANS = {
    State.WAITING: "It is saved here and waits to be pushed.",
    State.SENDING: "It is being pushed.",
    State.ACCEPTED: "Laminar said 200; the values have not been read back yet.",
    State.CONFIRMED: "Every value was read back from the trace.",
    State.PARKED: "It was not delivered: a person has to look. The reason stands beside it.",
    State.SUPERSEDED: "It ended here: a newer patch of the same trace carries what it said.",
}
SCHEMA = {
    "oneOf": [
        patch_input.SCHEMA,
        {
            "type": "object",
            "required": ["patches"],
            "additionalProperties": False,
            "properties": {
                "patches": {"type": "array", "minItems": 1, "maxItems": MAX_BATCH_SIZE, "items": patch_input.SCHEMA}
            },
        },
    ]
}
KEY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "maxLength": patch_input.MAX_IDEMPOTENCY_KEY_LENGTH},
    "description": "For a single patch: the same as its idempotency_key",
}
router = Router()


class PutOut(Schema):
    """A patch that was put; `is_new` is false where the same name had put it before."""

    id: int
    trace_id: str
    state: str
    is_new: bool
    url: str


class OneOut(PutOut):
    """A patch that was put, with what may surprise about it."""

    warnings: list[str]


class ManyOut(Schema):
    """Patches that were put, in the order sent, with what may surprise about them."""

    patches: list[PutOut]
    warnings: list[str]


class WayOut(Schema):
    """How far a patch has come; `means` says it as a sentence."""

    id: int
    state: str
    means: str
    reason: str
    last_error: str
    created_at: datetime
    accepted_at: datetime | None
    confirmed_at: datetime | None


class PatchOut(WayOut):
    """A patch. When it was superseded, `carried_by` is how far the newest patch that carries its keys has come."""

    trace_id: str
    metadata: dict[str, Any]
    tags: list[str]
    superseded_by: int | None
    carried_by: WayOut | None


@router.post(
    "/patches",
    response={202: OneOut | ManyOut, 400: ErrorOut, 401: ErrorOut, 413: ErrorOut, 422: ErrorOut},
    summary="Push metadata onto traces",
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": SCHEMA}}, "required": True},
        "parameters": [KEY_HEADER],
    },
)
def put_patches(request: HttpRequest, response: HttpResponse) -> Status[dict[str, object]]:
    """One patch, or a list of 100 at most, all or none. A 202 says that it is on disk here, not yet in Laminar.

    Under the same idempotency key a patch is put once; the key with another content is a 422.
    """
    token = get_token(request)
    try:
        sent = parse_body(request)
        is_list = isinstance(sent, dict) and "patches" in sent
        patches = _list(sent, request) if is_list else [_one(sent, request)]
        # Before they are put: what was committed is told, whatever fails.
        warnings = collect_warnings(token.project, patches)
        done = _put(token.project, patches, f"token:{token.name}", is_list=is_list)
    except RequestRejected as error:
        return error_response(error, "Patch", "Nothing was put.")
    if is_list:
        return Status(202, {"patches": [_told(one) for one in done], "warnings": warnings})
    told = _told(done[0])
    response["Location"] = str(told["url"])
    return Status(202, {**told, "warnings": warnings})


@router.get(
    "/patches/{number:patch}",
    response={200: PatchOut, 401: ErrorOut, 404: ErrorOut},
    summary="How far a patch has come",
    url_name="patch",
)
def get_patch(request: HttpRequest, patch: int) -> Status[dict[str, object]]:
    """Any patch of the token's project, a review's too. Ask until it is confirmed or parked, or what carries it is."""
    found = Patch.objects.filter(project=get_token(request).project, pk=patch).first()
    if found is None:
        return Status(404, {"error": f"There is no patch {patch} in this token's project."})
    carrier = intake.find_carrier(found)
    told = {
        "trace_id": str(found.trace_id), "metadata": found.values, "tags": found.tag_names,
        "superseded_by": found.superseded_by_id, "carried_by": None if carrier is None else _way(carrier),
    }  # fmt: skip
    return Status(200, {**_way(found), **told})


def _list(sent: dict[str, Any], request: HttpRequest) -> list[PatchInput]:
    """The patches of `{"patches": [...]}`, in order. Raises NotTaken."""
    if "Idempotency-Key" in request.headers:
        raise RequestRejected(
            "An Idempotency-Key names one patch: in a list give each patch an idempotency_key of its own."
        )
    if unknown := sorted(sent.keys() - {"patches"}):
        shown = unknown[0][:40].encode("utf-8", "replace").decode()
        raise RequestRejected(f"There is no field “{shown}” beside patches.")
    patches = sent["patches"]
    if not isinstance(patches, list):
        raise RequestRejected('Send an object of the form {"patches": [{"trace_id": "…", "metadata": {…}}]}.')
    if not patches:
        raise RequestRejected("The list of patches is empty.")
    if len(patches) > MAX_BATCH_SIZE:
        raise RequestRejected(f"These are {len(patches):,} patches; {MAX_BATCH_SIZE} at most go in one call. Split it.")
    return [_read(patch, line) for line, patch in enumerate(patches, 1)]


def _one(sent: Any, request: HttpRequest) -> PatchInput:
    name = request.headers.get("Idempotency-Key")
    if name is not None and isinstance(sent, dict):
        if "idempotency_key" in sent:
            raise RequestRejected("The idempotency key stands twice: give it in the header or in the body.")
        sent = {**sent, "idempotency_key": name}
    return _read(sent)


def _read(sent: Any, line: int | None = None) -> PatchInput:
    try:
        return patch_input.parse_patch_input(sent)
    except InvalidPatchError as error:
        raise RequestRejected(str(error), line) from None


def _put(project: Project, patches: list[PatchInput], source: str, *, is_list: bool) -> list[intake.PutResult]:
    try:
        return intake.put_patches(project, patches, source=source)
    except intake.IdempotencyKeyReusedError as error:
        raise RequestRejected(str(error), error.position + 1 if is_list else None, status=422) from None


def _told(done: intake.PutResult) -> dict[str, object]:
    patch = done.patch
    return {
        "id": patch.pk, "trace_id": str(patch.trace_id), "state": patch.state, "is_new": done.is_new,
        "url": reverse("api:patch", args=[patch.pk]),
    }  # fmt: skip


def _way(patch: Patch) -> dict[str, object]:
    return {
        "id": patch.pk, "state": patch.state, "means": _means(patch), "reason": patch.reason,
        "last_error": patch.last_error, "created_at": patch.created_at, "accepted_at": patch.accepted_at,
        "confirmed_at": patch.confirmed_at,
    }  # fmt: skip


def _means(patch: Patch) -> str:
    if patch.state == State.SUPERSEDED and patch.superseded_by_id is None:
        return "It was taken back before it was pushed."
    return MEANS[State(patch.state)]
