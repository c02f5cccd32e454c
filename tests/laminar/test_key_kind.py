from uuid import UUID, uuid4

import httpx
import pytest

from reviewapp.laminar import EndpointNotFound, KeyRefused, Laminar, RequestRefused, ServerError, UnexpectedResponse
from tests.laminar.local_server import client_with_handler, client_with_response

PROJECT = UUID("b7ad6b71-6920-4333-8444-0af7651916cd")
UNKNOWN = httpx.Response(404, json="Trace not found")


def client_with(project: httpx.Response, metadata: httpx.Response) -> Laminar:
    return client_with_handler(lambda request: project if request.url.path == "/v1/project" else metadata)


def test_it_returns_the_project_id() -> None:
    assert client_with_response(200, {"projectId": str(PROJECT)}).project() == PROJECT


@pytest.mark.parametrize("body", [{}, [], "x", {"projectId": 5}, {"projectId": "x"}, {"projectId": None}])
def test_it_refuses_a_response_without_a_project_id(body: object) -> None:
    with pytest.raises(UnexpectedResponse, match="no project id"):
        client_with_response(200, body).project()


def test_it_recognises_a_full_key() -> None:
    assert client_with(httpx.Response(200, json={"projectId": str(uuid4())}), httpx.Response(500)).key_kind() == "full"


def test_it_recognises_an_ingest_only_key() -> None:
    assert client_with(httpx.Response(404), UNKNOWN).key_kind() == "ingest-only"


def test_it_refuses_an_older_server() -> None:
    with pytest.raises(EndpointNotFound):
        client_with(httpx.Response(404), httpx.Response(404)).key_kind()


def test_it_refuses_a_server_that_is_not_laminar() -> None:
    with pytest.raises(EndpointNotFound, match="page not found"):
        client_with(httpx.Response(404, text="page not found"), UNKNOWN).key_kind()


def test_it_refuses_a_server_that_accepts_any_trace() -> None:
    with pytest.raises(UnexpectedResponse, match="does not exist"):
        client_with(httpx.Response(404), httpx.Response(200)).key_kind()


@pytest.mark.parametrize(("status", "kind"), [(401, KeyRefused), (400, RequestRefused), (503, ServerError)])
def test_it_raises_other_errors(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        client_with(httpx.Response(status), UNKNOWN).key_kind()
