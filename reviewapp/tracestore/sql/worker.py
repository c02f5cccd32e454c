"""A process that runs queries for the trace store, one at a time, within limits of its own on time and memory.

Only such a process can be stopped in the middle of a call: SQLite checks no deadline within one function, and nothing
counts the memory of one thread.
"""

import logging
import resource
import signal
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from reviewapp.tracestore import settings
from reviewapp.tracestore.sql.errors import QueryError

# The query itself stops at MAX_SECONDS, with an error. A process that is still busy a second later is killed.
MAX_SECONDS = 30.0
GRACE_SECONDS = 1.0
# Address space. A result has at most 128 MiB, and is in memory several times while it is put together.
MEMORY_BYTES = 768 * 1024 * 1024
TIMEOUT_MESSAGE = f"Error executing query: Timeout exceeded: the query took longer than {MAX_SECONDS:.0f} s"
MEMORY_MESSAGE = (
    f"Error executing query: Memory limit exceeded: the query needed more than {MEMORY_BYTES // 1024**2} MiB;"
    " select fewer columns or add a LIMIT"
)
# Loaded once, before the workers are forked. The server's own process never loads it: a SQL parser is large.
EXECUTOR = "reviewapp.tracestore.sql.executor"
CLICKHOUSE = "reviewapp.tracestore.sql.clickhouse"

_logger = logging.getLogger(__name__)

Request = tuple[int, str, dict[str, Any]]


def serve(requests: Connection, database: Path, kill_seconds: float = MAX_SECONDS + GRACE_SECONDS) -> None:
    """Answer (project, query, parameters) with an HTTP status and a body, until the other end is closed.

    With the status it says whether it goes on: a process that ran out of memory answers and ends. The body of an error
    is its message. A process that has not answered after `kill_seconds` is killed.
    """
    # The server decides when its workers end; Ctrl-C and a supervisor signal the whole group.
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.SIG_IGN)
    # The signal's own action: the kernel kills the process, whatever it is doing and whether the server still runs.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if settings.SQL_ENGINE == "sqlite":
        # ClickHouse reserves far more address space than it uses, and has a limit of its own.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    settings.DATABASE_FILE = database
    has_memory = True
    while has_memory:
        try:
            request: Request = requests.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, kill_seconds)
        status, body, has_memory = _answer(request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        requests.send((status, has_memory))
        requests.send_bytes(body)


def _answer(request: Request) -> tuple[int, bytes, bool]:
    try:
        engine = EXECUTOR if settings.SQL_ENGINE == "sqlite" else CLICKHOUSE
        return 200, import_module(engine).run_query(*request), True
    except QueryError as error:
        return error.status, str(error).encode(errors="replace"), True
    except MemoryError:
        return 400, MEMORY_MESSAGE.encode(), False
    except Exception:
        _logger.exception("A query failed for a reason that is not its own", extra={"summary": "query failed"})
        return 500, b"Error executing query: the trace store failed", True
