"""The rail above the trace: the whole queue in proportion, and the item's neighbours and position in it.

Plain SQL, because every page of the workbench shows it. A queue of up to MAX_EXACT items is read at each page. Of a
longer one, the item's neighbours are read by the queue's index from the item outwards, and the rest is a map that is
seconds old: of so many items, one is narrower than a pixel.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from django.core.cache import cache

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues.models import QueueItem
from reviewapp.reviews import queries

# Up to this many items the rail has one link for each; more would be narrower than 24 pixels on a wide screen.
MAX_LINKS = 49
MAX_EXACT = 240
# A map is drawn with at most this many columns, from at most so many items.
MAX_COLUMNS = 120
MAX_SAMPLE = 2_400
MAX_MAP_AGE = 60  # seconds

_LABELS = {
    "with-others": "with a colleague",
    "to-come": "to come",
    "later": "for later",
    "left": "left for someone else",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One item on the rail.

    `status` is reviewed, flagged, skipped, with-others, later or left (skipped by this person), or to-come.
    """

    pk: int
    status: str
    is_current: bool

    @property
    def label(self) -> str:
        return _LABELS.get(self.status, self.status)


@dataclass(frozen=True, slots=True)
class Rail:
    """The rail of an item: its segments with the first one's position, and the status shares of the map's columns."""

    segments: Sequence[Segment]
    start: int
    position: int
    total: int
    columns: Sequence[Counter[str]] = field(default_factory=list)

    @property
    def has_links(self) -> bool:
        """Whether every item of the queue is a link on the rail."""
        return len(self.segments) == self.total <= MAX_LINKS

    @property
    def later_count(self) -> int:
        """How many items this person has put off; 0 if not all of the queue was read."""
        return sum(segment.status == "later" for segment in self.segments) if len(self.segments) == self.total else 0

    @property
    def neighbours(self) -> list[tuple[int, Segment]]:
        """The segments to link, each with its position: all of a short queue, else the item and those beside it."""
        numbered = list(enumerate(self.segments, self.start))
        if self.has_links:
            return numbered
        return [(number, segment) for number, segment in numbered if abs(number - self.position) < 2]

    @property
    def previous(self) -> Segment | None:
        index = self.position - self.start
        return self.segments[index - 1] if index else None

    @property
    def next(self) -> Segment | None:
        index = self.position - self.start + 1
        return self.segments[index] if index < len(self.segments) else None


def open_rail(item: QueueItem, user: User, total: int) -> Rail:
    """The rail of an item in its queue of `total` items."""
    if total <= MAX_EXACT:
        segments = [Segment(pk, status, pk == item.pk) for pk, status in _read_statuses(item.queue_id, user, 1)]
        position = next(number for number, segment in enumerate(segments, 1) if segment.is_current)
        statuses = [segment.status for segment in segments]
        return Rail(segments, 1, position, len(segments), _build_columns(statuses))
    segments, position = load_rail(item, user), queue_position(item)
    start = position - next(index for index, segment in enumerate(segments) if segment.is_current)
    statuses = _read_map(item.queue_id, user, total)
    if len(statuses) == total:
        # Around the item, where the person looks, the map is as new as the page.
        statuses[start - 1 : start - 1 + len(segments)] = [segment.status for segment in segments]
    return Rail(segments, start, position, total, _build_columns(statuses))


def load_rail(item: QueueItem, user: User) -> list[Segment]:
    """The item with its nearest neighbours on both sides, in the queue's order."""
    values = (user.pk, user.pk, clock.now(), user.pk, item.queue_id, item.priority, item.pk)
    rows = sorted(
        sql.fetch_rows(queries.NEIGHBOURS, *(values * len(queries.RANGES))), key=lambda row: (-row[1], row[0])
    )
    current = next(number for number, row in enumerate(rows) if row[0] == item.pk)
    neighbours = rows[max(0, current - queries.MAX_NEIGHBOURS) : current + queries.MAX_NEIGHBOURS + 1]
    return [Segment(pk, status, pk == item.pk) for pk, _, status in neighbours]


def queue_position(item: QueueItem) -> int:
    """The item's position in its queue, from 1."""
    queue_and_priority = (item.queue_id, item.priority)
    return 1 + int(sql.fetch_rows(queries.POSITION, *queue_and_priority, item.pk, *queue_and_priority)[0][0])


def _read_map(queue_id: int, user: User, total: int) -> list[str]:
    """The statuses of the queue's items in order, of every n-th item if they are many; up to a minute old."""
    stride = -(-total // MAX_SAMPLE)
    key = f"rail:{queue_id}:{user.pk}:{total}"
    statuses: list[str] | None = cache.get(key)
    if statuses is None:
        statuses = [status for _, status in _read_statuses(queue_id, user, stride)]
        cache.set(key, statuses, min(MAX_MAP_AGE, total // MAX_EXACT * 5))
    return statuses


def _read_statuses(queue_id: int, user: User, stride: int) -> list[tuple[int, str]]:
    rows = sql.fetch_rows(queries.STATUSES, user.pk, user.pk, clock.now(), user.pk, queue_id, stride)
    return [(pk, status) for pk, _, status in rows]


def _build_columns(statuses: Sequence[str]) -> list[Counter[str]]:
    """Split the statuses into columns of equal numbers, up to one item."""
    count = min(len(statuses), MAX_COLUMNS)
    bounds = [len(statuses) * number // count for number in range(count + 1)] if count else []
    return [Counter(statuses[low:high]) for low, high in pairwise(bounds)]
