"""A trace's metadata, one entry per key, in pages: some traces have thousands of keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from reviewapp.traces.reader.query import ReaderQuery

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class MetadataEntry:
    """One metadata key of a trace, its value as a filter writes it, and whether this app set it, not yet confirmed."""

    key: str
    value: str
    is_unconfirmed: bool

    @property
    def query_string(self) -> str:
        """The query string of the view of all traces with this value."""
        return urlencode({"m": f"{self.key}={self.value}"})

    @property
    def is_long(self) -> bool:
        return len(self.value) > 60 or self.value[:1] in ("{", "[")


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of entries: the `rows` from position `start`.

    `total` counts the entries whose key contains `key_filter`, ignoring case; `size` counts all entries.
    """

    rows: Sequence[MetadataEntry]
    start: int
    total: int
    size: int
    key_filter: str

    @property
    def last(self) -> int:
        """The number of the page's last row, counted from 1."""
        return self.start + len(self.rows)

    @property
    def is_complete(self) -> bool:
        """Whether the page shows all entries."""
        return len(self.rows) == self.size

    @property
    def query_string(self) -> str:
        """The query string of this page."""
        return self._query_string(self.start)

    @property
    def previous_query_string(self) -> str:
        return self._query_string(max(0, self.start - PAGE_SIZE)) if self.start else ""

    @property
    def next_query_string(self) -> str:
        return self._query_string(self.last) if self.last < self.total else ""

    def _query_string(self, start: int) -> str:
        return urlencode({"tab": "metadata", "from": start} | ({"key": self.key_filter} if self.key_filter else {}))


def paginate_entries(entries: Sequence[MetadataEntry], query: ReaderQuery) -> EntryPage:
    """Return the page of these entries that the query selects, the last page if it starts after the end."""
    text = query.key_filter.casefold()
    matches = [entry for entry in entries if text in entry.key.casefold()] if text else entries
    start = min(query.start or 0, max(0, len(matches) - 1)) // PAGE_SIZE * PAGE_SIZE
    return EntryPage(matches[start : start + PAGE_SIZE], start, len(matches), len(entries), query.key_filter)
