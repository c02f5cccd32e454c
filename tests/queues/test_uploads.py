"""Upload files of traces: what is read, what is refused with a sentence, and how the worker adds them."""

import tracemalloc
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.queues.models import ItemState, Queue, QueueItem, Removal
from reviewapp.queues.models.upload import Upload, UploadChunk, UploadState
from reviewapp.queues.uploads import columns, lifecycle
from reviewapp.queues.uploads.receiving import UploadRefused, receive
from reviewapp.queues.uploads.runner import process_uploads
from tests.factories import QueueItemFactory

URL = "/p/support/queues/answers/uploads/"
ID = UUID(int=7)


def add_file(queue: Queue, lead: User, content: bytes, **changes: object) -> Upload:
    """Receive a file and let the worker add it."""
    upload, _ = receive(queue, lead, "traces.csv", [content])
    lifecycle.start(upload, lead, UploadState.ADDING, **changes)
    while process_uploads():
        pass
    upload.refresh_from_db()
    return upload


@pytest.mark.parametrize(
    "content",
    [
        f"trace_id,reference\n{ID},order 1\n".encode(),
        f"\ufefftrace_id;reference\r\n{ID};order 1\r\n".encode(),
        f"trace_id\treference\n{ID}\torder 1".encode("utf-16"),
        f"trace_id,reference\n{ID},order 1\n".encode("utf-16-le"),
        f'"reference","Trace ID"\n"order 1","{ID}"\n'.encode(),
        f"{ID},order 1\n".encode(),
        f'{{"trace_id": "{ID}", "reference": "order 1"}}\n'.encode(),
        f'item,trace_id,reference,revision,notes\n4,{ID},order 1,2,"two\nlines"\n'.encode(),
        f"trace_id,reference\r{ID},order 1\r".encode(),
    ],
    ids=["csv", "bom", "utf-16", "no bom", "quotes", "no header", "jsonl", "own export", "old line ends"],
)
def test_it_reads(queue: Queue, lead: User, content: bytes) -> None:
    upload = add_file(queue, lead, content)
    item = QueueItem.objects.get()
    assert (item.trace_id, item.reference, upload.state) == (ID, "order 1", UploadState.DONE)
    assert (upload.added, upload.fault_count) == (1, 0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\n \n", "The file is empty."),
        (f"trace_id,reference\n{ID},caf\xe9\n".encode("latin-1"), "Line 2 is not valid UTF-8"),
        (f"trace_id\n{ID}\n".encode() + "é".encode() + b"\n\xff\n", "Line 4 is not valid UTF-8"),
        (b"PK\x03\x04rest", "The file is an Excel workbook or a ZIP file"),
        (bytes(range(32)) * 200, "The file is not a text file."),
        (b'[{"trace_id": "x"}]', "The file is a JSON array."),
        (b"a" * 300_000, "longer than 256 KB"),
    ],
)
def test_it_refuses_with_a_sentence(queue: Queue, lead: User, content: bytes, sentence: str) -> None:
    with pytest.raises(UploadRefused, match=sentence):
        receive(queue, lead, "x.csv", [content])
    assert not Upload.objects.exists()
    assert not UploadChunk.objects.exists()


def test_it_refuses_a_file_that_is_too_large(queue: Queue, lead: User, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1_000_000
    with pytest.raises(UploadRefused, match="larger than 1 MB"):
        receive(queue, lead, "x.csv", [b"trace_id\n" * 1_000] * 1_000)
    assert not UploadChunk.objects.exists()


def test_it_names_each_line_that_it_cannot_add(queue: Queue, lead: User) -> None:
    good = [uuid4() for _ in range(3)]
    lines = [
        "trace_id,reference,priority,due", f"{good[0]},a,5,2026-12-31", "x,b,,", f"{ID},{'r' * 201},,", f"{ID},\0,,",
        f"{ID},c,high,", f"{ID},d,,31.12.2026", ",e,,", f'{good[1]},"open,,', f"{good[2]},=1+1,,",
        f"{ID},{'x' * 300_000},,",
    ]  # fmt: skip
    upload = add_file(queue, lead, "\n".join(lines).encode())
    assert [fault.line for fault in upload.faults.order_by("line")] == [3, 4, 5, 6, 7, 8, 9, 11]
    items = {item.trace_id: item for item in QueueItem.objects.all()}
    assert set(items) == {good[0], good[2]}
    assert (items[good[0]].priority, items[good[2]].reference) == (5, "=1+1")
    assert items[good[0]].due_at is not None


def test_it_survives_a_line_of_many_megabytes(queue: Queue, lead: User) -> None:
    upload = add_file(queue, lead, f"trace_id\n{uuid4()}\n".encode() + b"x" * 20_000_000 + f"\n{ID}\n".encode())
    assert (upload.added, upload.fault_count) == (2, 1)


def test_it_tells_duplicates_and_leaves_out_removed_traces(queue: Queue, lead: User) -> None:
    Removal.objects.create(queue=queue, trace_id=ID, by="lead")
    twice, known = uuid4(), QueueItemFactory.create(queue=queue).trace_id
    upload = add_file(queue, lead, f"trace_id\n{ID}\n{twice}\n{known}\n{twice}\n".encode())
    assert (upload.added, upload.duplicates, upload.removed) == (1, 2, 1)
    assert not QueueItem.objects.filter(trace_id=ID).exists()


def test_it_brings_back_removed_traces_and_requeues_if_asked(queue: Queue, lead: User) -> None:
    Removal.objects.create(queue=queue, trace_id=ID, by="lead")
    item = QueueItemFactory.create(queue=queue, state=ItemState.COMPLETED, version=2)
    content = f"trace_id\n{ID}\n{item.trace_id}\n".encode()
    upload = add_file(queue, lead, content, brings_back=True, requeues=True)
    assert (upload.added, upload.requeued, upload.duplicates) == (1, 1, 0)
    item.refresh_from_db()
    assert (item.state, item.version) == (ItemState.PENDING, 2)


def test_it_checks_without_adding(queue: Queue, lead: User) -> None:
    item = QueueItemFactory.create(queue=queue, state=ItemState.SKIPPED)
    upload, _ = receive(queue, lead, "x.csv", [f"trace_id\n{ID}\n{item.trace_id}\n".encode()])
    lifecycle.start(upload, lead, UploadState.CHECKING)
    process_uploads()
    upload.refresh_from_db()
    assert (upload.state, upload.added, upload.skipped) == (UploadState.CHECKED, 1, 1)
    assert QueueItem.objects.count() == 1


def test_it_continues_after_a_worker_was_killed(queue: Queue, lead: User) -> None:
    upload, _ = receive(queue, lead, "x.csv", ["".join(f"{UUID(int=n)}\n" for n in range(2_500)).encode()])
    lifecycle.start(upload, lead, UploadState.ADDING)
    process_uploads()
    assert QueueItem.objects.count() == 1_000
    while process_uploads():
        pass
    upload.refresh_from_db()
    assert (upload.state, upload.added, upload.duplicates) == (UploadState.DONE, 2_500, 0)


def test_it_stops_when_cancelled(queue: Queue, lead: User) -> None:
    upload, _ = receive(queue, lead, "x.csv", ["".join(f"{UUID(int=n)}\n" for n in range(2_500)).encode()])
    lifecycle.start(upload, lead, UploadState.ADDING)
    process_uploads()
    assert lifecycle.cancel(upload, lead)
    assert not process_uploads()
    assert QueueItem.objects.count() == 1_000


def test_it_keeps_memory_flat(queue: Queue, lead: User) -> None:
    blocks = (b"trace_id,notes\n" + b"y,z\n" * 16_000 for _ in range(200))
    tracemalloc.start()
    receive(queue, lead, "x.csv", blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_it_tells_a_file_that_was_sent_before(lead_client: Client, queue: Queue) -> None:
    content = f"trace_id\n{ID}\n".encode()
    first, second = (
        lead_client.post(URL, {"file": SimpleUploadedFile("x.csv", content)}, follow=True) for _ in range(2)
    )
    assert first.context["upload"].pk == second.context["upload"].pk
    assert "was uploaded to this queue before" in second.text
    assert Upload.objects.count() == 1


def test_it_guesses_columns_and_takes_those_chosen(lead_client: Client, queue: Queue) -> None:
    content = f"id,ref,ref\nx,{ID},order 2\n".encode()
    page = lead_client.post(URL, {"file": SimpleUploadedFile("x.csv", content)}, follow=True)
    assert "Several columns are named “ref”" in page.text
    form = page.context["form"]
    assert [field.initial for field in form.column_fields] == ["0", "1", "", "", ""]
    upload = page.context["upload"]
    data = {"column_trace_id": "1", "column_reference": "2", "priority": "3", "due_at": "2026-12-31"}
    lead_client.post(f"{URL}{upload.pk}/start/", data)
    process_uploads()
    item = QueueItem.objects.get()
    assert (item.trace_id, item.reference, item.priority) == (ID, "order 2", 3)
    assert "Added: 1" in lead_client.get(f"{URL}{upload.pk}/").text


def test_it_downloads_the_errors(lead_client: Client, lead: User, queue: Queue) -> None:
    upload = add_file(queue, lead, b"trace_id\n=1\n")
    response = lead_client.get(f"{URL}{upload.pk}/errors.csv")
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "line,problem"
    assert lines[1].startswith("2,")


def test_it_processes_a_file_again(queue: Queue, lead: User) -> None:
    upload = add_file(queue, lead, f"trace_id\n{ID}\n".encode())
    assert lifecycle.reopen(upload)
    assert lifecycle.start(upload, lead, UploadState.ADDING)
    process_uploads()
    upload.refresh_from_db()
    assert (upload.added, upload.duplicates) == (0, 1)


def test_it_previews_the_first_lines(queue: Queue, lead: User) -> None:
    upload, _ = receive(queue, lead, "x.csv", [f"trace_id\n{ID}\nx\n".encode() + b"y\n" * 50])
    rows = columns.preview_rows(upload, columns.load_layout(upload))
    assert len(rows) == columns.PREVIEW_LINES
    assert (rows[0][2], rows[1][2][:3]) == ("", "“x”")
