"""An invalid patch: the response names the reason, and nothing of the call is saved."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch
from reviewapp.traces.models import Trace
from tests.api.http_calls import post

URL = "/api/v1/patches"
ID = "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04"
GOOD: dict[str, Any] = {"trace_id": ID, "metadata": {"a": 1}}


@pytest.fixture
def send(token: str) -> Any:
    return partial(post, token=token, url=URL)


@pytest.fixture
def assert_refused(send: Any, project: Project) -> Callable[..., None]:
    """The body is refused with this status and reason, and nothing is saved."""

    def check(body: Any, reason: str, line: int | None = None, status: int = 400, **headers: str) -> None:
        response = send(body, **headers)
        content = response.json()
        assert response.status_code == status
        assert set(content) == {"error", "line"}
        assert reason in content["error"]
        assert content["error"].endswith("Nothing was saved.")
        assert content["line"] == line
        assert not Patch.objects.exists()
        assert not Trace.objects.exists()

    return check


BODIES: list[tuple[Any, str]] = [
    (b"", "cannot be read"),
    (b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "cannot be read"),
    (b"[" * 100_000, "cannot be read"),
    (f'{{"trace_id": "{ID}", "metadata": {{"a": NaN}}}}'.encode(), "NaN is not a JSON number"),
    (f'{{"trace_id": "{ID}", "metadata": {{"a": -Infinity}}}}'.encode(), "-Infinity is not a JSON number"),
    (f'{{"trace_id": "{ID}", "metadata": {{"a": 1e400}}}}'.encode(), "“a”: A number is infinite"),
    (f'{{"trace_id": "{ID}", "metadata": {{"a": 1, "a": 2}}}}'.encode(), "“a” appears twice"),
    (f'{{"trace_id": "{ID}", "metadata": {{"a": {"[" * 70}{"]" * 70}}}}}'.encode(), "nested deeper than 64"),
    (None, "A patch is an object of the form"),
    ([GOOD], "A patch is an object of the form"),
    ({}, "The trace_id is missing"),
    ({"trace_id": ID}, "The metadata is missing or not an object"),
    ({**GOOD, "metadata": None}, "The metadata is missing or not an object"),
    ({**GOOD, "metadata": [1]}, "The metadata is missing or not an object"),
    ({**GOOD, "metadata": "a=1"}, "The metadata is missing or not an object"),
    ({**GOOD, "metadata": {}}, "The metadata is empty"),
    ({**GOOD, "metadata": {"": 1}}, "A key is empty"),
    ({**GOOD, "metadata": {"k" * 201: 1}}, "longer than 200"),
    ({**GOOD, "metadata": {"a": "b\x00"}}, "NUL"),
    ({**GOOD, "metadata": {"a": "\ud800"}}, "lone surrogate"),
    ({**GOOD, "metadata": {"a": "x" * 65_536}}, "the limit for one patch is 65,536"),
    ({**GOOD, "trace_id": 7}, "The trace_id is missing or not a text"),
    ({**GOOD, "trace_id": "../etc"}, "is not a trace id"),
    ({**GOOD, "tags": "a"}, "The tags are not a list of texts"),
    ({**GOOD, "tags": [1]}, "The tags are not a list of texts"),
    ({**GOOD, "tags": [" "]}, "is not a valid tag"),
    ({**GOOD, "tags": ["a\nb"]}, "is not a valid tag"),
    ({**GOOD, "tags": ["\ud800"]}, "is not a valid tag"),
    ({**GOOD, "tags": ["t" * 61]}, "is not a valid tag"),
    ({**GOOD, "tags": [str(n) for n in range(21)]}, "has 21 tags"),
    ({**GOOD, "idempotency_key": 7}, "The idempotency key must be a text"),
    ({**GOOD, "idempotency_key": ""}, "The idempotency key must be a text"),
    ({**GOOD, "idempotency_key": "k" * 201}, "The idempotency key must be a text"),
    ({**GOOD, "idempotency_key": "a\x00"}, "The idempotency key must be a text"),
    ({**GOOD, "idempotency_key": "\ud800"}, "The idempotency key must be a text"),
    ({**GOOD, "project": "elsewhere"}, "There is no field “project”"),
    ({**GOOD, "\ud800": 1}, "There is no field"),
    ({"patches": []}, "The list of patches is empty"),
    ({"patches": GOOD}, "Send an object of the form"),
    ({"patches": None}, "Send an object of the form"),
    ({"patches": [GOOD] * 101}, "101 patches; the maximum is 100"),
    ({"patches": [GOOD], "trace_id": ID}, "Unknown field “trace_id”"),
]


@pytest.mark.parametrize(("body", "reason"), BODIES, ids=lambda value: str(value)[:40])
def test_it_refuses_a_body(assert_refused: Callable[..., None], body: Any, reason: str) -> None:
    assert_refused(body, reason)


@pytest.mark.parametrize("patch", [None, ID, {}, {**GOOD, "metadata": {}}, {**GOOD, "traceId": ID}])
def test_it_saves_the_patches_beside_a_refused_one(send: Any, project: Project, patch: Any) -> None:
    other = {**GOOD, "trace_id": str(uuid4())}
    response = send({"patches": [other, GOOD, patch, {}]})
    content = response.json()

    assert response.status_code == 207
    assert [receipt["trace_id"] for receipt in content["patches"]] == [other["trace_id"], ID]
    assert [refused["index"] for refused in content["refused"]] == [2, 3]
    assert all(refused["reason"].endswith(".") for refused in content["refused"])
    assert Patch.objects.count() == 2


def test_it_refuses_a_list_without_a_valid_patch(send: Any, project: Project) -> None:
    response = send({"patches": [{}, {**GOOD, "metadata": {}}]})

    assert response.status_code == 400
    assert response.json()["error"] == "Patch 1: The trace_id is missing or not a text. Nothing was saved."
    assert [(refused["index"], refused["id"]) for refused in response.json()["refused"]] == [(0, None), (1, ID)]
    assert not Patch.objects.exists()


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_it_refuses_an_invalid_idempotency_header(assert_refused: Callable[..., None], key: str) -> None:
    assert_refused(GOOD, "The idempotency key must be a text", **{"Idempotency-Key": key})


def test_it_refuses_an_idempotency_key_in_header_and_body(assert_refused: Callable[..., None]) -> None:
    assert_refused({**GOOD, "idempotency_key": "b"}, "is given twice", **{"Idempotency-Key": "a"})


def test_it_refuses_an_idempotency_header_for_a_list(assert_refused: Callable[..., None]) -> None:
    assert_refused({"patches": [GOOD]}, "give each patch an idempotency_key", **{"Idempotency-Key": "a"})


def test_it_refuses_a_body_over_the_size_limit(assert_refused: Callable[..., None]) -> None:
    assert_refused(b" " * (2 * 1024 * 1024 + 1), "larger than 2 MB", status=413)


def test_it_refuses_an_idempotency_key_of_another_patch(send: Any, project: Project) -> None:
    send(GOOD, **{"Idempotency-Key": "run 7"})
    response = send({**GOOD, "metadata": {"a": 2}}, **{"Idempotency-Key": "run 7"})

    assert response.status_code == 422
    assert response.json()["error"] == (
        "The idempotency key “run 7” was already used for another patch. Use a new key for this one. Nothing was saved."
    )
    assert Patch.objects.get().values == {"a": 1}


@pytest.mark.django_db(transaction=True)
def test_it_refuses_only_the_patch_with_a_reused_idempotency_key(send: Any, project: Project) -> None:
    send(GOOD, **{"Idempotency-Key": "run 7"})
    reused = {**GOOD, "metadata": {"a": 2}, "idempotency_key": "run 7"}
    response = send({"patches": [{}, {**GOOD, "trace_id": str(uuid4())}, reused]})
    refused = response.json()["refused"]

    assert (response.status_code, [element["index"] for element in refused]) == (207, [0, 2])
    assert (refused[1]["id"], "“run 7” was already used" in refused[1]["reason"]) == (ID, True)
    assert Patch.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_it_saves_nothing_of_a_list_of_reused_idempotency_keys(send: Any, project: Project) -> None:
    send(GOOD, **{"Idempotency-Key": "run 7"})
    reused = {"trace_id": str(uuid4()), "metadata": {"a": 2}, "idempotency_key": "run 7"}
    response = send({"patches": [reused]})

    assert (response.status_code, response.json()["line"]) == (422, 1)
    assert (Patch.objects.count(), Trace.objects.count()) == (1, 1)


def test_it_keeps_the_first_of_two_patches_with_one_new_idempotency_key(send: Any, project: Project) -> None:
    patches = [{"trace_id": str(uuid4()), "metadata": {"a": 1}, "idempotency_key": "run 7"} for _ in range(2)]
    response = send({"patches": patches})

    assert (response.status_code, response.json()["refused"][0]["index"]) == (207, 1)
    assert str(Patch.objects.get().trace_id) == patches[0]["trace_id"]


@pytest.mark.parametrize("token", [None, "rvw_wrong"])
def test_it_refuses_any_other_token(project: Project, client: Any, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    assert post(GOOD, token, url=URL).status_code == 401
    assert client.get(f"{URL}/1", headers=headers).status_code == 401
    assert not Patch.objects.exists()
