"""Log what repeats once, then once a minute with its count: an outage must not fill the disk, nor hide other lines."""

import copy
import logging
import threading
from dataclasses import dataclass
from typing import Any

from reviewapp.lib.database_faults import find_fault
from reviewapp.lib.shortening import shorten

INTERVAL_SECONDS = 60.0


@dataclass(slots=True)
class Repetition:
    """The newest of the records that were not written, and how many they are."""

    record: logging.LogRecord
    count: int = 0


class SummaryHandler(logging.StreamHandler[Any]):
    """Summarises records by their `summary` (set it with `extra`), database faults, and answers of 500 and above.

    All other records are written as they come.
    """

    def __init__(self, *args: Any, interval: float = INTERVAL_SECONDS, **options: Any) -> None:
        super().__init__(*args, **options)
        self.interval = interval
        self.repetitions: dict[str, Repetition] = {}

    def emit(self, record: logging.LogRecord) -> None:
        # logging holds the handler's lock.
        record, key = _classify(record)
        repetition = self.repetitions.get(key) if key else None
        if repetition is not None:
            repetition.record = record
            repetition.count += 1
            return
        if key:
            self.repetitions[key] = Repetition(record)
            self._start_timer(key)
        super().emit(record)

    def close(self) -> None:
        """Write what is not written yet."""
        for key in list(self.repetitions):
            self._summarise(key)
        self.repetitions.clear()
        super().close()

    def _start_timer(self, key: str) -> None:
        timer = threading.Timer(self.interval, self._on_timer, [key])
        timer.daemon = True
        timer.start()

    def _on_timer(self, key: str) -> None:
        if self._summarise(key):
            self._start_timer(key)

    def _summarise(self, key: str) -> bool:
        """Write the summary of a key. Returns False, and forgets the key, if nothing was repeated."""
        self.acquire()
        try:
            # The handler may have been closed, and written it.
            repetition = self.repetitions.pop(key, None)
            if repetition is None or not repetition.count:
                return False
            self.repetitions[key] = repetition
            summary = copy.copy(repetition.record)
            summary.msg = f"{repetition.record.getMessage()} [{repetition.count:,} more]"
            summary.args, summary.exc_info, summary.exc_text = (), None, None
            repetition.count = 0
            # A process that ends may have closed its stream.
            if not getattr(self.stream, "closed", False):
                super().emit(summary)
            return True
        finally:
            self.release()


def _classify(record: logging.LogRecord) -> tuple[logging.LogRecord, str]:
    """Return the record as it is written, and the key of those that are summarised with it; an empty one for none."""
    error = record.exc_info[1] if record.exc_info else None
    fault = find_fault(error)
    if fault is not None:
        record = copy.copy(record)
        detail = shorten(" ".join(str(error).split()), 300)
        record.msg, record.args, record.exc_info, record.exc_text = f"{fault.value} ({detail})", (), None, None
        record.levelno, record.levelname = logging.ERROR, "ERROR"
        return record, f"database {fault.name}"
    if record.name == "django.request" and error is None and getattr(record, "status_code", 0) >= 500:
        return record, f"{record.name} {getattr(record, 'status_code', 0)}"
    return record, getattr(record, "summary", "")
