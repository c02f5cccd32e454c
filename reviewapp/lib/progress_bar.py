"""How far a long work has come, as one line of a terminal."""

import time
from typing import Protocol

WIDTH = 30
# Seconds between two drawings.
PAUSE = 0.1


class Terminal(Protocol):
    """Where it is drawn: a text stream."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class ProgressBar:
    """A bar that is drawn over itself while its block runs, and gone after it; nothing where no person looks.

    A total of 0 is one that nobody knows: the count alone is drawn.
    """

    def __init__(self, words: str, total: int, out: Terminal) -> None:
        self.words, self.total, self.out = words, total, out
        self.is_shown = out.isatty()
        self.done, self.drawn_at = 0, 0.0

    def __enter__(self) -> "ProgressBar":
        self._draw()
        return self

    def __exit__(self, *fault: object) -> None:
        self._write("\r\x1b[K")

    def update(self, done: int) -> None:
        """So many of the total are done."""
        self.done = done
        if time.monotonic() - self.drawn_at >= PAUSE:
            self._draw()

    def _draw(self) -> None:
        self.drawn_at = time.monotonic()
        if not self.total:
            self._write(f"\r{self.words} {self.done:,}\x1b[K")
            return
        full = WIDTH * self.done // max(self.total, 1)
        self._write(f"\r{self.words} [{'#' * full}{'.' * (WIDTH - full)}] {self.done:,} of {self.total:,}\x1b[K")

    def _write(self, text: str) -> None:
        if self.is_shown:
            self.out.write(text)
            self.out.flush()
