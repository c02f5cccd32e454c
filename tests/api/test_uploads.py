"""`/api/v1/queues/<slug>/uploads`: a file in one call, added by the worker."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.keys.tokens import create_token
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem, Source
from reviewapp.queues.models.upload import Upload, UploadChunk, UploadState
from reviewapp.queues.uploads.receiving import receive
from reviewapp.queues.uploads.runner import process_uploads

URL = "/api/v1/queues/answers/uploads"
ID = UUID(int=7)
CSV = f"id,order,trace\n1,order 1,{ID}\n2,order 2,x\n".encode()


@pytest.fixture
def send(token: str, queue: Queue) -> Any:
    """Send a file with the token and these parameters."""

    def send(content: bytes, content_type: str = "text/csv", **query: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return Client().generic("POST", f"{URL}?{urlencode(query)}", content, content_type, headers=headers)

    return send


def read_state(token: str, url: str) -> dict[str, Any]:
    state: dict[str, Any] = Client().get(url, headers={"Authorization": f"Bearer {token}"}).json()
    return state


def test_it_adds_a_file(send: Any, token: str) -> None:
    response = send(CSV, name="traces.csv", column_trace_id="trace", column_reference="order", priority="-3")
    assert (response.status_code, response.json()["state"]) == (202, "adding")
    assert response["Location"] == response.json()["url"] == f"{URL}/{Upload.objects.get().pk}"
    process_uploads()
    item = QueueItem.objects.get()
    assert (item.trace_id, item.reference, item.priority) == (ID, "order 1", -3)
    assert (item.source, item.added_by) == (Source.FILE, "token:ci")
    state = read_state(token, response["Location"])
    assert (state["state"], state["percent"], state["added"], state["faults"]) == ("done", 100, 1, 1)
    assert state["first_faults"][0]["line"] == 3


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/x-www-form-urlencoded", ""])
def test_it_reads_a_file_of_any_content_type(send: Any, content_type: str) -> None:
    assert send(f'{{"trace_id": "{ID}"}}\n'.encode(), content_type, due_at="2026-12-31").status_code == 202
    process_uploads()
    assert QueueItem.objects.get().due_at == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)


def test_it_adds_the_same_file_once(send: Any) -> None:
    content = f"trace_id\n{ID}\n".encode()
    first, second = send(content), send(content)
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]


def test_it_starts_a_file_whose_call_was_cut_off(send: Any, queue: Queue) -> None:
    content = f"trace_id\n{ID}\n".encode()
    receive(queue, "token:ci", "file", [content])
    assert send(content).json()["state"] == "adding"


def test_it_does_not_start_the_file_of_a_person(send: Any, queue: Queue, lead: User) -> None:
    content = f"trace_id\n{ID}\n".encode()
    receive(queue, lead, "file", [content])
    assert send(content).json()["state"] == UploadState.MAPPING


@pytest.mark.parametrize(
    ("content", "query", "sentence"),
    [
        (b"", {}, "The file is empty."),
        (b"PK\x03\x04rest", {}, "The file is an Excel workbook"),
        (b"a,b\n1,2\n", {}, "No column of the file has trace ids. Name it with column_trace_id. It has: a, b."),
        (CSV, {"column_trace_id": "nope"}, "The file has no column “nope”. It has: id, order, trace."),
        (b"a,a\n1,2\n", {"column_trace_id": "a"}, "The file has several columns “a”."),
        (CSV, {"priority": "high"}, "The priority must be a whole number"),
        (CSV, {"priority": "--1"}, "The priority must be a whole number"),
        (CSV, {"due_at": "tomorrow"}, "The due_at is not a date."),
        (CSV, {"bring_back": "yes"}, "The parameter bring_back must be true or false."),
        (CSV, {"colum_trace_id": "x"}, "Unknown parameter “colum_trace_id”."),
        (CSV, {"reason": "x" * 301}, "The reason is longer than 300 characters."),
        (CSV, {"name": "a\0b"}, "NUL"),
    ],
)
def test_it_refuses_with_a_sentence(send: Any, content: bytes, query: dict[str, str], sentence: str) -> None:
    response = send(content, **query)
    assert response.status_code == 400
    assert sentence in response.json()["error"]
    assert response.json()["error"].count("Nothing was added.") == 1
    assert not Upload.objects.exists()
    assert not UploadChunk.objects.exists()


def test_it_refuses_a_form(send: Any) -> None:
    assert "not a form" in send(b"x", "multipart/form-data; boundary=B").json()["error"]


def test_it_refuses_a_file_that_is_too_large(send: Any, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 10
    response = send(CSV)
    assert (response.status_code, Upload.objects.count()) == (413, 0)
    assert response.json()["error"].startswith("The file is larger than")


def test_it_refuses_a_file_that_is_cut_off(token: str, queue: Queue) -> None:
    cut_off: dict[str, Any] = {"CONTENT_LENGTH": str(len(CSV) + 1), "wsgi.input": BytesIO(CSV)}
    headers = {"Authorization": f"Bearer {token}"}
    response: Any = Client().generic("POST", URL, CSV, "text/csv", headers=headers, **cut_off)
    assert "did not arrive as a whole" in response.json()["error"]
    assert not UploadChunk.objects.exists()


def test_it_refuses_an_archived_queue(send: Any) -> None:
    Queue.objects.update(archived_at=clock.now())
    assert send(CSV).status_code == 409


def test_it_needs_the_scopes(project: Project, queue: Queue, lead: User) -> None:
    upload, _ = receive(queue, lead, "file", [f"trace_id\n{ID}\n".encode()])
    statuses = {}
    for scope in ("read", "queue"):
        headers = {"Authorization": f"Bearer {create_token(project, scope, 'command', scopes=[scope])}"}
        posted: Any = Client().generic("POST", URL, CSV, "text/csv", headers=headers, QUERY_STRING="column_trace_id=id")
        statuses[scope] = (posted.status_code, Client().get(f"{URL}/{upload.pk}", headers=headers).status_code)
    assert statuses == {"read": (403, 200), "queue": (202, 403)}


def test_it_reads_no_upload_of_another_queue(token: str, queue: Queue, other_project: Project) -> None:
    theirs = Queue.objects.create(project=other_project, slug="answers", name="Answers")
    upload, _ = receive(theirs, "token:ci", "file", [f"trace_id\n{ID}\n".encode()])
    for pk in (upload.pk, 2**70):
        assert "error" in read_state(token, f"{URL}/{pk}")
