"""An invalid body or item: the response names the item and the reason, and nothing of it is added."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from reviewapp.audit.models import AuditEvent
from reviewapp.queues.models import Queue, QueueItem
from tests.api.http_calls import ITEMS_URL, post

GOOD = {"trace_id": "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04"}
ID = GOOD["trace_id"]


@pytest.fixture
def assert_refused(send: Any, queue: Queue) -> Callable[..., None]:
    """The body is refused with this status and reason, and nothing is added."""

    def check(body: Any, reason: str, line: int | None = None, status: int = 400) -> None:
        response = send(body)
        content = response.json()
        assert response.status_code == status
        assert set(content) == {"error", "line"}
        assert reason in content["error"]
        assert "Nothing was added" in content["error"]
        assert content["line"] == line
        assert not QueueItem.objects.exists()

    return check


BODIES: list[tuple[Any, str]] = [
    (b"", "cannot be read"),
    (b"items", "cannot be read"),
    (b'{"items": [', "cannot be read"),
    (b'{"items": []} x', "cannot be read"),
    (b"\xff\xfe", "cannot be read"),
    (b"\xef\xbb\xbf" + json.dumps({"items": [GOOD]}).encode(), "cannot be read"),
    (json.dumps({"items": [GOOD]}).encode("utf-16"), "cannot be read"),
    (b'{"items": [{"trace_id": "\xff"}]}', "cannot be read"),
    (f'{{"items": [{json.dumps(GOOD)}], "items": []}}'.encode(), "“items” appears twice"),
    (f'{{"items": [{{"trace_id": "{ID}", "trace_id": "{ID}"}}]}}'.encode(), "“trace_id” appears twice"),
    (f'{{"items": [{{"trace_id": "{ID}", "priority": NaN}}]}}'.encode(), "NaN is not a JSON number"),
    (f'{{"items": [{{"trace_id": "{ID}", "priority": -Infinity}}]}}'.encode(), "-Infinity is not a JSON number"),
    (f'{{"items": [{{"trace_id": "{ID}", "priority": {"9" * 5_000}}}]}}'.encode(), "digits"),
    (b'{"items": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested deeper"),
    (b"[" * 100_000, "cannot be read"),
    (None, "Send an object of the form"),
    ("items", "Send an object of the form"),
    ([GOOD], "Send an object of the form"),
    ({}, "Send an object of the form"),
    ({"Items": [GOOD]}, "Send an object of the form"),
    ({"items": None}, "Send an object of the form"),
    ({"items": GOOD}, "Send an object of the form"),
    ({"items": []}, "The list of items is empty"),
    ({"items": [GOOD] * 1_001}, "1,001 items; the maximum is 1,000"),
    ({"items": [GOOD], "project": "elsewhere"}, "Unknown field “project”"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), BODIES, ids=lambda value: str(value)[:40])
def test_it_refuses_a_body(assert_refused: Callable[..., None], body: Any, reason: str) -> None:
    assert_refused(body, reason)


ITEMS: list[tuple[Any, str]] = [
    (ID, "must be an object"),
    (None, "must be an object"),
    ([GOOD], "must be an object"),
    ({}, "trace_id is missing"),
    ({"trace_id": None}, "trace_id is missing or not a string"),
    ({"trace_id": 7}, "trace_id is missing or not a string"),
    ({"trace_id": [ID]}, "trace_id is missing or not a string"),
    ({"trace_id": ""}, "is not a trace id"),
    ({"trace_id": "../../etc/passwd"}, "is not a trace id"),
    ({"trace_id": f"{ID}\n{ID}"}, "is not a trace id"),
    ({"trace_id": f"{ID}\x00"}, "is not a trace id"),
    ({"trace_id": "\u0667" * 32}, "is not a trace id"),
    ({"trace_id": "\ud800"}, "is not a trace id"),
    ({"trace_id": "a" * 100_000}, "is not a trace id"),
    ({"traceId": ID}, "Unknown field “traceId”"),
    ({**GOOD, "state": "completed"}, "Unknown field “state”"),
    ({**GOOD, "\ud800": 1}, "Unknown field"),
    ({**GOOD, "reason": 5}, "The reason must be a string"),
    ({**GOOD, "reason": "r" * 301}, "The reason is longer than 300"),
    ({**GOOD, "reason": "a\x00b"}, "NUL"),
    ({**GOOD, "reason": "a\ud800b"}, "lone surrogate"),
    ({**GOOD, "reference": ["a"]}, "The reference must be a string"),
    ({**GOOD, "reference": "r" * 201}, "The reference is longer than 200"),
    ({**GOOD, "reference": "\x00"}, "NUL"),
    ({**GOOD, "priority": "1"}, "The priority must be a whole number"),
    ({**GOOD, "priority": 1.0}, "The priority must be a whole number"),
    ({**GOOD, "priority": True}, "The priority must be a whole number"),
    ({**GOOD, "priority": 1_000_001}, "The priority must be a whole number"),
    ({**GOOD, "priority": -1_000_001}, "The priority must be a whole number"),
]


@pytest.mark.parametrize(("item", "reason"), ITEMS, ids=lambda value: str(value)[:40])
def test_it_refuses_an_item_by_its_number(assert_refused: Callable[..., None], item: Any, reason: str) -> None:
    assert_refused({"items": [item]}, reason, line=1)


@pytest.mark.parametrize(("item", "reason"), ITEMS, ids=lambda value: str(value)[:40])
def test_it_adds_the_items_beside_a_refused_one(send: Any, queue: Queue, item: Any, reason: str) -> None:
    other = str(uuid4())
    response = send({"items": [{"trace_id": other}, GOOD, item, GOOD]})
    content = response.json()

    assert (response.status_code, content["added"], content["duplicates"]) == (207, 2, 1)
    assert [item["trace_id"] for item in content["items"]] == [other, ID, ID]
    assert [refused["index"] for refused in content["refused"]] == [2]
    assert reason in content["refused"][0]["reason"]
    assert queue.items.count() == 2


@pytest.mark.parametrize("size", [2 * 1024 * 1024 + 1, 10_000_000])
def test_it_refuses_a_body_over_the_size_limit(assert_refused: Callable[..., None], size: int) -> None:
    assert_refused(b" " * size, "larger than 2 MB", status=413)


def test_it_records_no_refused_call(send: Any, queue: Queue) -> None:
    send({"items": []})

    assert not AuditEvent.objects.filter(verb="added items").exists()


def test_it_refuses_a_form(token: str, queue: Queue) -> None:
    multipart = b'--x\r\nContent-Disposition: form-data; name="items"\r\n\r\n[]\r\n--x--\r\n'

    assert post(multipart, token, **{"Content-Type": "multipart/form-data; boundary=x"}).status_code == 400


def test_it_refuses_other_methods(client: Any, token: str, queue: Queue) -> None:
    for send in (client.put, client.delete, client.patch):
        assert send(ITEMS_URL, headers={"Authorization": f"Bearer {token}"}).status_code == 405


def test_it_names_an_id_with_half_a_character_in_valid_json(send: Any, queue: Queue) -> None:
    response = send(b'{"items": [{"trace_id": "\\ud800"}]}')
    assert response.status_code == 400
    assert response.json()["error"].encode().startswith("Item 1: “?” is not a trace id".encode())


MIXED = [GOOD, {"trace_id": "\ud800x"}, 7, {**GOOD, "priority": "high"}]


def test_it_adds_the_valid_items_of_a_call_and_names_the_others(send: Any, queue: Queue) -> None:
    response = send({"items": MIXED})
    content = response.json()

    assert response.status_code == 207
    assert (content["added"], content["duplicates"], content["removed"]) == (1, 0, 0)
    assert [item["trace_id"] for item in content["items"]] == [ID]
    assert [(refused["index"], refused["id"]) for refused in content["refused"]] == [(1, "?x"), (2, None), (3, ID)]
    assert "is not a trace id" in content["refused"][0]["reason"]
    assert queue.items.count() == 1


def test_it_names_all_items_of_a_call_of_which_none_is_valid(send: Any, queue: Queue) -> None:
    response = send({"items": MIXED[1:3]})
    content = response.json()

    assert response.status_code == 400
    assert (content["line"], [refused["index"] for refused in content["refused"]]) == (1, [0, 1])
    assert not queue.items.exists()


def test_it_returns_the_first_partial_result_for_a_repeated_idempotency_key(send: Any, queue: Queue) -> None:
    first, second = (send({"items": MIXED}, **{"Idempotency-Key": "run 7"}) for _ in range(2))

    assert (first.status_code, second.status_code) == (207, 207)
    assert second.json() == first.json()


def test_it_takes_a_call_without_its_invalid_items_for_another_one(send: Any, queue: Queue) -> None:
    send({"items": MIXED}, **{"Idempotency-Key": "run 7"})

    assert send({"items": [GOOD]}, **{"Idempotency-Key": "run 7"}).status_code == 422
