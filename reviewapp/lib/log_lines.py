"""Log lines that no logged text can break, hide in or colour."""

import logging
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter

from reviewapp.lib.invisible_chars import reveal


class LineFormatter(logging.Formatter):
    """One line per message, with hidden characters shown by their code; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return reveal(super().formatMessage(record)).replace("\r", "\\r").replace("\n", "\\n")


class JSONFormatter(ProcessorFormatter):
    """One line of JSON per event: event, level, logger, timestamp, a request's id, and a traceback if there is one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(
            processors=[ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
        )
