import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from reviewapp.laminar import Laminar, RequestRefused, TraceNotFound, UnexpectedResponse
from tests.laminar.local_server import KEY, client_with_handler, client_with_response

TRACE = UUID("0af76519-16cd-43dd-8448-eb211c80319c")
SPAN = UUID("00000000-0000-0000-b7ad-6b7169203331")


def client_recording(requests: list[httpx.Request]) -> Laminar:
    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200)

    return client_with_handler(handler)


def test_it_posts_a_patch() -> None:
    requests: list[httpx.Request] = []
    client_recording(requests).push_metadata(TRACE, {"review.score": 4})
    assert (requests[0].method, str(requests[0].url)) == ("POST", "https://laminar.test/v1/traces/metadata")
    assert requests[0].content == b'{"metadata":{"review.score":4},"traceId":"0af76519-16cd-43dd-8448-eb211c80319c"}'


def test_it_sends_its_name_and_the_key() -> None:
    requests: list[httpx.Request] = []
    client_recording(requests).push_metadata(TRACE, {"a": 1})
    headers = requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["user-agent"].startswith("reviewapp/")
    assert (headers["content-type"], headers["accept-encoding"]) == ("application/json", "identity")


@pytest.mark.parametrize(("value", "text"), [(4.0, "4"), (None, "null"), ("é", '"é"'), (True, "true"), (0.5, "0.5")])
def test_it_sends_canonical_json(value: object, text: str) -> None:
    requests: list[httpx.Request] = []
    client_recording(requests).push_metadata(TRACE, {"k": value})
    assert f'{{"k":{text}}}'.encode() in requests[0].content


@pytest.mark.parametrize("metadata", [{}, {"k": "a\x00b"}, {"k": float("nan")}, {"k": "\ud800"}, {"k": 10**5000}])
def test_it_refuses_metadata_that_would_be_lost(metadata: dict[str, Any]) -> None:
    requests: list[httpx.Request] = []
    with pytest.raises(RequestRefused):
        client_recording(requests).push_metadata(TRACE, metadata)
    assert requests == []


def test_it_accepts_an_empty_response() -> None:
    client_with_response(200, b"").push_metadata(TRACE, {"a": 1})


def test_it_accepts_a_json_response() -> None:
    client_with_response(200, {"queued": True}).push_metadata(TRACE, {"a": 1})


@pytest.mark.parametrize("status", [201, 202, 204])
def test_it_refuses_another_success_status(status: int) -> None:
    with pytest.raises(UnexpectedResponse, match=f"{status}, where Laminar responds 200") as caught:
        client_with_response(status).push_metadata(TRACE, {"a": 1})
    assert caught.value.status == status


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><title>Sign in</title>", b"\n <html>", b"OK", b"\xff\xfe"])
def test_it_refuses_a_response_that_is_not_laminars(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        client_with_response(200, body).push_metadata(TRACE, {"a": 1})


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ({"trace_id": TRACE}, {"names": ["bad"], "traceId": str(TRACE)}),
        ({"span_id": SPAN}, {"names": ["bad"], "spanId": str(SPAN)}),
    ],
)
def test_it_posts_a_tag(target: dict[str, UUID], body: dict[str, object]) -> None:
    requests: list[httpx.Request] = []
    client_recording(requests).tag(["bad"], **target)
    assert requests[0].url.path == "/v1/tag"
    assert json.loads(requests[0].content) == body


def test_it_reports_a_span_that_is_not_ingested_yet() -> None:
    with pytest.raises(TraceNotFound):
        client_with_response(404, b"No matching spans found").tag(["bad"], trace_id=TRACE)


@pytest.mark.parametrize(
    "call", [lambda laminar: laminar.tag(["a"]), lambda laminar: laminar.tag(["a"], trace_id=TRACE, span_id=SPAN)]
)
def test_it_refuses_a_tag_without_exactly_one_target(call: Callable[[Laminar], None]) -> None:
    with pytest.raises(ValueError, match="exactly one id"):
        call(client_with_response())


def test_it_refuses_a_tag_without_a_name() -> None:
    with pytest.raises(RequestRefused, match="at least one name"):
        client_with_response().tag([], trace_id=TRACE)
