"""The processes that run queries, a few at a time. One that ends is replaced by the next query."""

import multiprocessing
import threading
import time
from multiprocessing import forkserver
from typing import Any

from reviewapp.tracestore import database, settings
from reviewapp.tracestore.sql import worker
from reviewapp.tracestore.sql.errors import QueryError

SIZE = 4
# How long a query waits for a free process.
MAX_WAIT_SECONDS = 10.0

_context = multiprocessing.get_context("forkserver")
_slots = threading.BoundedSemaphore(SIZE)
# The process that was used last comes first: it has compiled the most recent queries.
_idle: list["_Worker"] = []
_busy: set["_Worker"] = set()
_lock = threading.Lock()


def start() -> None:
    """Load what the processes have in common, in the background. Without it, the first query waits for that."""
    _context.set_forkserver_preload([worker.EXECUTOR])
    forkserver.ensure_running()


def stop() -> None:
    """Kill all processes, those in the middle of a query too: they only read."""
    with _lock:
        workers = [*_idle, *_busy]
        _idle.clear()
    for process in workers:
        process.kill()


def run_query(project: int, query: str, parameters: dict[str, Any]) -> bytes:
    """Returns the response body `{"data": [{column: value}, …]}`. Raises QueryError."""
    if not _slots.acquire(timeout=MAX_WAIT_SECONDS):
        raise QueryError("Error executing query: Too many simultaneous queries; send it again later", 503)
    try:
        status, body = _run((project, query, parameters))
    finally:
        _slots.release()
    if status != 200:
        raise QueryError(body.decode(), status)
    return body


def _run(request: worker.Request) -> tuple[int, bytes]:
    process = _take()
    started_at = time.monotonic()
    try:
        return process.ask(request)
    except (EOFError, OSError):
        is_late = time.monotonic() - started_at >= worker.MAX_SECONDS
        raise QueryError(worker.TIMEOUT_MESSAGE if is_late else worker.MEMORY_MESSAGE) from None
    finally:
        _put_back(process)


class _Worker:
    def __init__(self) -> None:
        self._requests, other_end = _context.Pipe()
        # The file and its tables must exist: the process only reads.
        database.create()
        self._process = _context.Process(
            target=worker.serve, args=(other_end, settings.DATABASE_FILE.absolute()), daemon=True
        )
        self._process.start()
        # The process has the only copy now, so its end is noticed here.
        other_end.close()
        self.is_broken = False

    def ask(self, request: worker.Request) -> tuple[int, bytes]:
        """Returns the status and the body. Raises EOFError or OSError if the process ends instead."""
        self.is_broken = True
        self._requests.send(request)
        status, goes_on = self._requests.recv()
        body = self._requests.recv_bytes()
        # One that is about to end could still be taken for alive by the next query.
        self.is_broken = not goes_on
        return status, body

    def is_alive(self) -> bool:
        # Nothing is sent without a request: an idle process that can be read from has ended.
        return not self.is_broken and not self._requests.poll()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _take() -> _Worker:
    with _lock:
        while _idle:
            process = _idle.pop()
            if process.is_alive():
                break
            process.kill()
        else:
            process = _Worker()
        _busy.add(process)
    return process


def _put_back(process: _Worker) -> None:
    with _lock:
        _busy.discard(process)
        if not process.is_broken:
            _idle.append(process)
            return
    process.kill()
