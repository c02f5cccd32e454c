"""The official `lmnr` SDK pushes datapoints to a real store and pulls them."""

from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest
from lmnr import LaminarClient
from lmnr.sdk.types import Datapoint

from tests.tracestore_server import RunningStore

POINTS = [
    Datapoint(data={"input": {"q": 1}, "output": "Paris."}, target={"score": 0.5, "notes": "é"}, metadata={"item": 7}),
    Datapoint(data="text", target=None, metadata={}),
]


@pytest.fixture
def name() -> str:
    return f"reviews {uuid4()}"


def test_it_creates_a_dataset_and_reads_it_back(laminar: LaminarClient, name: str) -> None:
    created = laminar.datasets.push(POINTS, name=name, create_dataset=True)
    assert created is not None
    (dataset,) = laminar.datasets.get_dataset_by_name(name)
    assert (dataset["name"], dataset["id"]) == (name, created["dataset_id"])
    page = laminar.datasets.pull(id=created["dataset_id"])
    assert page["total_count"] == 2
    by_data = {str(point.data): (point.target, point.metadata) for point in page["items"]}
    assert by_data == {str(point.data): (point.target, point.metadata) for point in POINTS}


def test_it_adds_to_a_dataset_and_reads_it_in_pages(laminar: LaminarClient, name: str) -> None:
    laminar.datasets.push(POINTS, name=name, create_dataset=True)
    laminar.datasets.push([POINTS[0]], name=name)
    pages = [laminar.datasets.pull(name=name, limit=2, offset=offset) for offset in (0, 2)]
    assert [(page["total_count"], len(page["items"])) for page in pages] == [(3, 2), (3, 1)]


def test_it_replaces_a_datapoint_with_the_same_id(laminar: LaminarClient, name: str) -> None:
    point = Datapoint(id=uuid4(), data=1, target=1)
    laminar.datasets.push([point], name=name, create_dataset=True)
    laminar.datasets.push([point.model_copy(update={"target": 2})], name=name)
    (stored,) = laminar.datasets.pull(name=name)["items"]
    assert (stored.id, stored.target) == (point.id, 2)


REFUSALS: list[Callable[[LaminarClient, str], object]] = [
    lambda laminar, name: laminar.datasets.push(POINTS, name=f"{name} unknown"),
    lambda laminar, name: laminar.datasets.pull(id=uuid4()),
    lambda laminar, name: laminar.datasets.push(POINTS, name=name, create_dataset=True),
    lambda laminar, name: laminar.datasets.pull(name=f"{name} unknown"),
]


@pytest.mark.parametrize(("number", "status"), [(0, 404), (1, 404), (2, 409), (3, 404)])
def test_it_refuses(laminar: LaminarClient, name: str, number: int, status: int) -> None:
    laminar.datasets.push(POINTS, name=name, create_dataset=True)
    with pytest.raises(ValueError, match=rf"\[{status}\]"):
        REFUSALS[number](laminar, name)


@pytest.mark.parametrize(
    "body",
    [
        [], {}, {"name": "x"}, {"name": "x", "datapoints": []}, {"name": "x", "datapoints": [1]},
        {"name": "x", "datapoints": [{}]}, {"datasetId": "x", "datapoints": [{"data": 1}]},
        {"name": "x", "datapoints": [{"data": 1, "metadata": 1}]}, {"name": "x", "datapoints": [{"data": "\0"}]},
        {"datasetId": str(UUID(int=1)), "datapoints": [{"data": 1}], "createDataset": True},
    ],
    ids=str,
)  # fmt: skip
def test_it_refuses_what_is_no_datapoint(tracestore: RunningStore, body: object) -> None:
    with tracestore.client() as client:
        assert client.post("/v1/datasets/datapoints", json=body).status_code == 400


@pytest.mark.parametrize("query", ["", "?name=x", "?name=x&limit=a&offset=0", "?name=x&limit=1&offset=-1"])
def test_it_refuses_a_page_without_bounds(tracestore: RunningStore, query: str) -> None:
    with tracestore.client() as client:
        assert client.get(f"/v1/datasets/datapoints{query}").status_code == 400


@pytest.mark.parametrize("path", ["/v1/datasets", "/v1/datasets/datapoints"])
def test_it_hides_datasets_from_an_ingest_only_key(tracestore: RunningStore, path: str) -> None:
    with tracestore.client(tracestore.ingest_key) as client:
        response: httpx.Response = client.get(path)
        assert (response.status_code, response.content) == (404, b"")
