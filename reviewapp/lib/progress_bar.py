"""A progress bar on one line of a terminal."""

import time
from typing import Protocol

WIDTH = 30
# Seconds between two redraws.
PAUSE = 0.1


class Terminal(Protocol):
    """The text stream it is drawn on."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class ProgressBar:
    """A bar that is redrawn in place while its block runs and cleared after it; silent if `out` is not a terminal.

    With a total of 0 (unknown) only the count is drawn.
    """

    def __init__(self, label: str, total: int, out: Terminal) -> None:
        self.label, self.total, self.out = label, total, out
        self.is_shown = out.isatty()
        self.done, self.drawn_at = 0, 0.0

    def __enter__(self) -> "ProgressBar":
        self._draw()
        return self

    def __exit__(self, *fault: object) -> None:
        self._write("\r\x1b[K")

    def update(self, done: int) -> None:
        """Set the number of finished units and redraw, at most every PAUSE seconds."""
        self.done = done
        if time.monotonic() - self.drawn_at >= PAUSE:
            self._draw()

    def _draw(self) -> None:
        self.drawn_at = time.monotonic()
        if not self.total:
            self._write(f"\r{self.label} {self.done:,}\x1b[K")
            return
        full = WIDTH * self.done // max(self.total, 1)
        self._write(f"\r{self.label} [{'#' * full}{'.' * (WIDTH - full)}] {self.done:,} of {self.total:,}\x1b[K")

    def _write(self, text: str) -> None:
        if self.is_shown:
            self.out.write(text)
            self.out.flush()
