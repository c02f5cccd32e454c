"""A worker killed while it adds a file: after a restart every line is there, once."""

import signal
from uuid import UUID

import pytest

from reviewapp.accounts.models import Project
from reviewapp.queues.models import QueueItem
from reviewapp.queues.models.upload import Upload, UploadState
from reviewapp.queues.uploads import lifecycle
from reviewapp.queues.uploads.receiving import receive
from tests.factories import QueueFactory
from tests.faults.processes import Workers, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.slow]
LINES = 2_500


@pytest.mark.parametrize(("failpoint", "added"), [("upload.before_commit", 1_000), ("upload.committed", 2_000)])
def test_it_adds_each_line_once(failpoint: str, added: int, project: Project, workers: Workers) -> None:
    content = "".join(f"{UUID(int=number)}\n" for number in range(LINES)).encode()
    upload, _ = receive(QueueFactory.create(project=project), "token:ci", "traces.csv", [content])
    lifecycle.start(upload, "token:ci", UploadState.ADDING)
    assert workers.wait(workers.start(f"{failpoint}=kill@2")) == -signal.SIGKILL
    assert QueueItem.objects.count() == added
    workers.start()
    wait_until(lambda: Upload.objects.filter(state=UploadState.DONE).exists(), every=0.2)
    upload.refresh_from_db()
    assert (upload.added, upload.duplicates, upload.line) == (LINES, 0, LINES)
    assert QueueItem.objects.count() == LINES
