"""A body that cannot be taken: told which item is at fault and why, and nothing of it added."""

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
def refuses(send: Any, queue: Queue) -> Callable[..., None]:
    """The body is refused with this status and reason, and nothing is added."""

    def check(body: Any, reason: str, line: int | None = None, status: int = 400) -> None:
        response = send(body)
        told = response.json()
        assert response.status_code == status
        assert set(told) == {"error", "line"}
        assert reason in told["error"]
        assert "Nothing was added" in told["error"]
        assert told["line"] == line
        assert not QueueItem.objects.exists()

    return check


BODIES: list[tuple[Any, str]] = [
    (b"", "not the JSON"),
    (b"items", "not the JSON"),
    (b'{"items": [', "not the JSON"),
    (b'{"items": []} x', "not the JSON"),
    (b"\xff\xfe", "not the JSON"),
    (b"\xef\xbb\xbf" + json.dumps({"items": [GOOD]}).encode(), "not the JSON"),
    (json.dumps({"items": [GOOD]}).encode("utf-16"), "not the JSON"),
    (b'{"items": [{"trace_id": "\xff"}]}', "not the JSON"),
    (f'{{"items": [{json.dumps(GOOD)}], "items": []}}'.encode(), "“items” stands twice"),
    (f'{{"items": [{{"trace_id": "{ID}", "trace_id": "{ID}"}}]}}'.encode(), "“trace_id” stands twice"),
    (f'{{"items": [{{"trace_id": "{ID}", "priority": NaN}}]}}'.encode(), "NaN is not a JSON number"),
    (f'{{"items": [{{"trace_id": "{ID}", "priority": -Infinity}}]}}'.encode(), "-Infinity is not a JSON number"),
    (f'{{"items": [{{"trace_id": "{ID}", "priority": {"9" * 5_000}}}]}}'.encode(), "digits"),
    (b'{"items": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested deeper"),
    (b"[" * 100_000, "not the JSON"),
    (None, "Send an object of the form"),
    ("items", "Send an object of the form"),
    ([GOOD], "Send an object of the form"),
    ({}, "Send an object of the form"),
    ({"Items": [GOOD]}, "Send an object of the form"),
    ({"items": None}, "Send an object of the form"),
    ({"items": GOOD}, "Send an object of the form"),
    ({"items": []}, "The list of items is empty"),
    ({"items": [GOOD] * 1_001}, "These are 1,001 items; 1,000 at most"),
    ({"items": [GOOD], "project": "elsewhere"}, "There is no field “project”"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), BODIES, ids=lambda value: str(value)[:40])
def test_it_refuses_a_body(refuses: Callable[..., None], body: Any, reason: str) -> None:
    refuses(body, reason)


ITEMS: list[tuple[Any, str]] = [
    (ID, "an object with a"),
    (None, "an object with a"),
    ([GOOD], "an object with a"),
    ({}, "trace_id is missing"),
    ({"trace_id": None}, "trace_id is missing or not a text"),
    ({"trace_id": 7}, "trace_id is missing or not a text"),
    ({"trace_id": [ID]}, "trace_id is missing or not a text"),
    ({"trace_id": ""}, "is not a trace id"),
    ({"trace_id": "../../etc/passwd"}, "is not a trace id"),
    ({"trace_id": f"{ID}\n{ID}"}, "is not a trace id"),
    ({"trace_id": f"{ID}\x00"}, "is not a trace id"),
    ({"trace_id": "\u0667" * 32}, "is not a trace id"),
    ({"trace_id": "\ud800"}, "is not a trace id"),
    ({"trace_id": "a" * 100_000}, "is not a trace id"),
    ({"traceId": ID}, "There is no field “traceId”"),
    ({**GOOD, "state": "completed"}, "There is no field “state”"),
    ({**GOOD, "\ud800": 1}, "There is no field"),
    ({**GOOD, "reason": 5}, "The reason is not a text"),
    ({**GOOD, "reason": "r" * 301}, "The reason is longer than 300"),
    ({**GOOD, "reason": "a\x00b"}, "NUL"),
    ({**GOOD, "reason": "a\ud800b"}, "lone surrogate"),
    ({**GOOD, "reference": ["a"]}, "The reference is not a text"),
    ({**GOOD, "reference": "r" * 201}, "The reference is longer than 200"),
    ({**GOOD, "reference": "\x00"}, "NUL"),
    ({**GOOD, "priority": "1"}, "The priority is a whole number"),
    ({**GOOD, "priority": 1.0}, "The priority is a whole number"),
    ({**GOOD, "priority": True}, "The priority is a whole number"),
    ({**GOOD, "priority": 1_000_001}, "The priority is a whole number"),
    ({**GOOD, "priority": -1_000_001}, "The priority is a whole number"),
]


@pytest.mark.parametrize(("item", "reason"), ITEMS, ids=lambda value: str(value)[:40])
def test_it_names_the_item_at_fault(refuses: Callable[..., None], item: Any, reason: str) -> None:
    refuses({"items": [{"trace_id": str(uuid4())}, GOOD, item, GOOD]}, reason, line=3)


def test_it_names_the_first_of_several(refuses: Callable[..., None]) -> None:
    refuses({"items": [GOOD, {}, {}]}, "Item 2: ", line=2)


@pytest.mark.parametrize("size", [2 * 1024 * 1024 + 1, 10_000_000])
def test_it_refuses_too_large_a_body(refuses: Callable[..., None], size: int) -> None:
    refuses(b" " * size, "larger than 2 MB", status=413)


def test_it_records_nothing_that_was_refused(send: Any, queue: Queue) -> None:
    send({"items": []})

    assert not AuditEvent.objects.filter(verb="added items").exists()


def test_it_takes_no_form(token: str, queue: Queue) -> None:
    multipart = b'--x\r\nContent-Disposition: form-data; name="items"\r\n\r\n[]\r\n--x--\r\n'

    assert post(multipart, token, **{"Content-Type": "multipart/form-data; boundary=x"}).status_code == 400


def test_it_is_asked_by_post_only(client: Any, token: str, queue: Queue) -> None:
    for act in (client.get, client.put, client.delete, client.patch):
        assert act(ITEMS_URL, headers={"Authorization": f"Bearer {token}"}).status_code == 405
