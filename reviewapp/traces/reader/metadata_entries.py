"""A trace's metadata, key by key, and in portions: some traces have thousands of keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from reviewapp.traces.reader.query import Wish

SIZE = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One metadata key of a trace, its value as a filter writes it, and whether it is ours and not yet confirmed."""

    key: str
    value: str
    is_ours: bool

    @property
    def query(self) -> str:
        """The query string of the view of all traces that hold this value."""
        return urlencode({"m": f"{self.key}={self.value}"})

    @property
    def is_long(self) -> bool:
        return len(self.value) > 60 or self.value[:1] in ("{", "[")


@dataclass(frozen=True, slots=True)
class Portion:
    """The `rows` from `start` on, of the `total` whose key holds the text `key` in any case, of `size` in all."""

    rows: Sequence[Entry]
    start: int
    total: int
    size: int
    key: str

    @property
    def last(self) -> int:
        return self.start + len(self.rows)

    @property
    def is_whole(self) -> bool:
        return len(self.rows) == self.size

    @property
    def query(self) -> str:
        """This portion's own query string."""
        return self._query(self.start)

    @property
    def before(self) -> str:
        return self._query(max(0, self.start - SIZE)) if self.start else ""

    @property
    def after(self) -> str:
        return self._query(self.last) if self.last < self.total else ""

    def _query(self, start: int) -> str:
        return urlencode({"tab": "metadata", "from": start} | ({"key": self.key} if self.key else {}))


def portion(entries: Sequence[Entry], wish: Wish) -> Portion:
    """The portion that is wished of these entries."""
    text = wish.key.casefold()
    found = [entry for entry in entries if text in entry.key.casefold()] if text else entries
    start = min(wish.start or 0, max(0, len(found) - 1)) // SIZE * SIZE
    return Portion(found[start : start + SIZE], start, len(found), len(entries), wish.key)
