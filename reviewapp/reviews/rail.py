"""The rail above the trace: an item's neighbours in its queue, and its position.

Plain SQL, because every page of the workbench shows it: each part walks the queue's index from the item outwards, so
a queue of many thousands costs as much as a short one.
"""

from dataclasses import dataclass

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues.models import QueueItem
from reviewapp.reviews import queries


@dataclass(frozen=True, slots=True)
class Segment:
    """One item on the rail; `status` is reviewed, flagged, skipped, with-others or to-come."""

    pk: int
    status: str
    is_current: bool

    @property
    def label(self) -> str:
        return self.status.replace("-", " ")


def load_rail(item: QueueItem, user: User) -> list[Segment]:
    """The item with its nearest neighbours on both sides, in the queue's order."""
    values = (user.pk, clock.now(), item.queue_id, item.priority, item.pk)
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
