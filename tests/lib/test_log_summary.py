"""What repeats is logged at once, then once per interval with its count."""

import io
import logging
import time
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from reviewapp.lib.log_summary import SummaryHandler


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(stream: io.StringIO) -> Iterator[SummaryHandler]:
    handler = SummaryHandler(stream, interval=0.2)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    yield handler
    handler.close()


@pytest.fixture
def log(handler: SummaryHandler) -> Iterator[logging.Logger]:
    log = logging.getLogger("summary")
    log.propagate = False
    log.addHandler(handler)
    yield log
    log.removeHandler(handler)


def log_outage(log: logging.Logger, task: str) -> None:
    try:
        raise OperationalError("connection refused\nIs the server running?")
    except OperationalError:
        log.exception("%s failed", task)


def wait_for_lines(stream: io.StringIO, count: int) -> list[str]:
    deadline = time.monotonic() + 20
    while len(stream.getvalue().splitlines()) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return stream.getvalue().splitlines()


def test_it_writes_other_records_as_they_come(log: logging.Logger, stream: io.StringIO) -> None:
    for _ in range(2):
        log.warning("100%% of %s", "it")
    assert stream.getvalue() == "WARNING 100% of it\n" * 2


def test_it_counts_what_repeats(log: logging.Logger, stream: io.StringIO, handler: SummaryHandler) -> None:
    handler.interval = 3600
    for number in range(1_001):
        log.warning("push %s failed at 100%%", number, extra={"summary": "push 1"})
    assert stream.getvalue() == "WARNING push 0 failed at 100%\n"
    handler.close()
    assert stream.getvalue().splitlines()[1] == "WARNING push 1000 failed at 100% [1,000 more]"


def test_it_writes_at_once_again_after_a_quiet_interval(
    log: logging.Logger, stream: io.StringIO, handler: SummaryHandler
) -> None:
    log.warning("first", extra={"summary": "push 1"})
    deadline = time.monotonic() + 20
    while handler.repetitions and time.monotonic() < deadline:
        time.sleep(0.01)
    log.warning("second", extra={"summary": "push 1"})
    assert stream.getvalue() == "WARNING first\nWARNING second\n"


def test_it_summarises_each_kind_by_itself(log: logging.Logger, stream: io.StringIO) -> None:
    log.warning("one", extra={"summary": "push 1"})
    log.warning("two", extra={"summary": "push 2"})
    assert stream.getvalue() == "WARNING one\nWARNING two\n"


def test_it_writes_an_outage_as_one_line(log: logging.Logger, stream: io.StringIO, handler: SummaryHandler) -> None:
    for task in ("push", "pull", "read_back"):
        log_outage(log, task)
    first = "ERROR The database does not answer (connection refused Is the server running?)"
    assert stream.getvalue() == f"{first}\n"
    handler.close()
    assert stream.getvalue() == f"{first}\n{first} [2 more]\n"


def test_it_keeps_the_traceback_of_other_errors(log: logging.Logger, stream: io.StringIO) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        log.exception("A bug")
    assert "Traceback" in stream.getvalue()
