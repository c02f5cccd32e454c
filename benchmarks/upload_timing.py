"""Receive a file of many lines and add it as the worker does: `python -m benchmarks.upload_timing LINES`."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from uuid import UUID

import django

django.setup()

from reviewapp.accounts.models import Project  # noqa: E402 - models exist only after setup
from reviewapp.queues.creating import create_queue  # noqa: E402
from reviewapp.queues.models.upload import UploadState  # noqa: E402
from reviewapp.queues.uploads.lifecycle import start  # noqa: E402
from reviewapp.queues.uploads.receiving import receive  # noqa: E402
from reviewapp.queues.uploads.runner import process_uploads  # noqa: E402


def measure(lines: int) -> dict[str, float]:
    """Returns the seconds to receive and to add the file (and of the processor), the lines and the peak in MB."""
    project = Project.objects.create(slug="bench", name="Bench", base_url="http://127.0.0.1:1")
    queue = create_queue(project, "answers", "Answers", "benchmark")
    began = time.perf_counter()
    upload, _ = receive(queue, "benchmark", "traces.csv", _make_file(lines))
    received, computed = time.perf_counter(), time.process_time()
    start(upload, "benchmark", UploadState.ADDING)
    while process_uploads():
        pass
    ended, computed = time.perf_counter(), time.process_time() - computed
    upload.refresh_from_db()
    return {
        "receive_s": round(received - began, 2), "add_s": round(ended - received, 2), "add_cpu_s": round(computed, 2),
        "added": upload.added, "lines_per_s": round(lines / (ended - received)),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def _make_file(lines: int) -> Iterator[bytes]:
    yield b"item,trace_id,reference,revision,notes\n"
    for number in range(lines):
        trace_id = UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128)
        yield f'{number},{trace_id},order {number},1,"The answer was right, but late."\n'.encode()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))))
