"""Log lines that no logged text can break, hide in or colour."""

import logging

from reviewapp.lib.invisible_chars import reveal


class LineFormatter(logging.Formatter):
    """One line per message, with hidden characters shown by their code; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return reveal(super().formatMessage(record)).replace("\r", "\\r").replace("\n", "\\n")
