"""The routes of datasets, with Laminar's responses."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from reviewapp.tracestore import datasets, ids, request_bodies, responses
from reviewapp.tracestore.auth import route
from reviewapp.tracestore.projects import Access

MAX_NUMBER = 2**63 - 1
NOT_FOUND = {"error": "Dataset not found"}


@route("GET", full_key=True)
def list_datasets(request: HttpRequest, access: Access) -> HttpResponse:
    """GET /v1/datasets: all, or those with an id or a name."""
    dataset_id = request.GET.get("id", "")
    if dataset_id:
        dataset_id = _parse_id(dataset_id)
    name = request.GET.get("name")
    return responses.json_value(datasets.list_all(access.project, dataset_id, name, access.project_id))


def datapoints(request: HttpRequest) -> HttpResponseBase:
    """GET /v1/datasets/datapoints: a page; POST: add some."""
    return create_datapoints(request) if request.method == "POST" else list_datapoints(request)


@route("GET", full_key=True)
def list_datapoints(request: HttpRequest, access: Access) -> HttpResponse:
    """A page of a dataset's datapoints by id: `{totalCount, items, anyInProject}`."""
    kind, value = _read_dataset(request.GET)
    limit, offset = (_parse_number(request.GET.get(name, "")) for name in ("limit", "offset"))
    try:
        return responses.json_bytes(
            datasets.format_page(*datasets.read_page(access.project, kind, value, limit, offset))
        )
    except datasets.UnknownDatasetError:
        return responses.json_value(NOT_FOUND, 404)


@route("POST", full_key=True)
def create_datapoints(request: HttpRequest, access: Access) -> HttpResponse:
    """Add datapoints to a dataset; with `createDataset` to a new one, which is a 201."""
    body = request_bodies.read_json(request)
    if not isinstance(body, dict):
        raise request_bodies.malformed("invalid type: expected a map")
    kind, value = _read_dataset(body)
    points, creates = body.get("datapoints"), body.get("createDataset", False)
    if not isinstance(points, list) or not isinstance(creates, bool):
        raise request_bodies.malformed("missing field `datapoints`" if points is None else "invalid type")
    if not points:
        return responses.json_value({"error": "No datapoints provided"}, 400)
    if creates and kind == "id":
        return responses.json_value({"error": "When creating a new dataset, the name must be provided"}, 400)
    try:
        result = datasets.save(access.project, kind, value, points, creates=creates)
    except datasets.InvalidDatapointError as error:
        raise request_bodies.malformed(str(error)) from None
    except datasets.NameTakenError:
        return responses.json_value({"error": "Dataset with this name already exists"}, 409)
    except datasets.UnknownDatasetError:
        return responses.json_value(NOT_FOUND, 404)
    content = {
        "message": "Datapoints created successfully", "datasetId": result.dataset_id,
        "count": len(result.datapoints), "datapointInfo": result.datapoints,
    }  # fmt: skip
    return responses.json_value(content, 201 if result.is_new else 200)


def _read_dataset(members: Any) -> tuple[str, str]:
    """Which dataset a request names: `name` or `id`, and its value."""
    for name in ("name", "datasetName", "dataset_name"):
        if isinstance(members.get(name), str):
            return "name", members[name]
    for name in ("datasetId", "dataset_id"):
        if name in members:
            return "id", _parse_id(members[name])
    raise request_bodies.malformed("no dataset: give `name` or `datasetId`")


def _parse_id(value: Any) -> str:
    try:
        return ids.uuid(value)
    except ids.InvalidIdError as error:
        raise request_bodies.malformed(str(error)) from None


def _parse_number(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= MAX_NUMBER:
        return int(text)
    raise responses.RequestError(400, "Query deserialize error: limit and offset must be whole numbers")
