"""A trace's metadata, key by key, and in portions: some traces have thousands of keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from reviewapp.traces.reader.query import ReaderQuery

SIZE = 200


@dataclass(frozen=True, slots=True)
class MetadataEntry:
    """One metadata key of a trace, its value as a filter writes it, and whether it is ours and not yet confirmed."""

    key: str
    value: str
    is_unconfirmed: bool

    @property
    def query_string(self) -> str:
        """The query string of the view of all traces that hold this value."""
        return urlencode({"m": f"{self.key}={self.value}"})

    @property
    def is_long(self) -> bool:
        return len(self.value) > 60 or self.value[:1] in ("{", "[")


@dataclass(frozen=True, slots=True)
class EntryPage:
    """The `rows` from `start` on, of the `total` whose key holds the text `key` in any case, of `size` in all."""

    rows: Sequence[MetadataEntry]
    start: int
    total: int
    size: int
    key_filter: str

    @property
    def last(self) -> int:
        return self.start + len(self.rows)

    @property
    def is_complete(self) -> bool:
        return len(self.rows) == self.size

    @property
    def query_string(self) -> str:
        """This portion's own query string."""
        return self._query(self.start)

    @property
    def previous_query_string(self) -> str:
        return self._query(max(0, self.start - SIZE)) if self.start else ""

    @property
    def next_query_string(self) -> str:
        return self._query(self.last) if self.last < self.total else ""

    def _query(self, start: int) -> str:
        return urlencode({"tab": "metadata", "from": start} | ({"key": self.key_filter} if self.key_filter else {}))


def paginate_entries(entries: Sequence[MetadataEntry], wish: ReaderQuery) -> EntryPage:
    """The portion that is wished of these entries."""
    text = wish.key_filter.casefold()
    found = [entry for entry in entries if text in entry.key.casefold()] if text else entries
    start = min(wish.start or 0, max(0, len(found) - 1)) // SIZE * SIZE
    return EntryPage(found[start : start + SIZE], start, len(found), len(entries), wish.key_filter)
