from uuid import UUID, uuid4

import httpx
import pytest

from reviewapp.laminar import EndpointNotFound, KeyRefused, Laminar, RequestRefused, ServerError, UnexpectedResponse
from tests.laminar.local_server import client_with_handler, client_with_response

PROJECT = UUID("b7ad6b71-6920-4333-8444-0af7651916cd")
UNKNOWN = httpx.Response(404, json="Trace not found")


def keyed(project: httpx.Response, metadata: httpx.Response) -> Laminar:
    return client_with_handler(lambda request: project if request.url.path == "/v1/project" else metadata)


def test_it_finds_the_project() -> None:
    assert client_with_response(200, {"projectId": str(PROJECT)}).project() == PROJECT


@pytest.mark.parametrize("body", [{}, [], "x", {"projectId": 5}, {"projectId": "x"}, {"projectId": None}])
def test_it_refuses_a_project_that_is_none(body: object) -> None:
    with pytest.raises(UnexpectedResponse, match="no project id"):
        client_with_response(200, body).project()


def test_it_knows_a_full_key() -> None:
    assert keyed(httpx.Response(200, json={"projectId": str(uuid4())}), httpx.Response(500)).key_kind() == "full"


def test_it_knows_an_ingest_only_key() -> None:
    assert keyed(httpx.Response(404), UNKNOWN).key_kind() == "ingest-only"


def test_it_knows_an_older_server() -> None:
    with pytest.raises(EndpointNotFound):
        keyed(httpx.Response(404), httpx.Response(404)).key_kind()


def test_it_knows_another_server() -> None:
    with pytest.raises(EndpointNotFound, match="page not found"):
        keyed(httpx.Response(404, text="page not found"), UNKNOWN).key_kind()


def test_it_refuses_a_server_that_takes_anything() -> None:
    with pytest.raises(UnexpectedResponse, match="cannot be"):
        keyed(httpx.Response(404), httpx.Response(200)).key_kind()


@pytest.mark.parametrize(("status", "kind"), [(401, KeyRefused), (400, RequestRefused), (503, ServerError)])
def test_it_hands_on_other_troubles(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        keyed(httpx.Response(status), UNKNOWN).key_kind()
