"""The rail above the trace: the neighbourhood of an item in its queue, and where in it the item stands.

Plain SQL, since it is on every page of the workbench: each part walks the queue's index from the item outwards, so
that a queue of many thousands costs what a short one does.
"""

from dataclasses import dataclass

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues.models import QueueItem

# The rail shows so many on either side of the item, not the thousands of a long queue.
MAX_NEIGHBOURS = 24

_LOOK = """
    CASE i.state
        WHEN 'skipped' THEN 'skipped'
        WHEN 'completed' THEN CASE WHEN EXISTS (
            SELECT 1 FROM reviewapp_review r WHERE r.item_id = i.id AND r.is_latest AND r.needs_review
        ) THEN 'flagged' ELSE 'reviewed' END
        ELSE CASE WHEN i.claimed_by_id <> %s AND i.claimed_until > %s THEN 'with-others' ELSE 'to-come' END
    END
"""
# Where an item's neighbours are, as (what holds for them, in which order they come): the nearest first.
_WAYS = (
    ("i.priority = %s AND i.id < %s", "i.id DESC"),
    ("i.priority > %s AND i.id > 0 * %s", "i.priority, i.id DESC"),
    ("i.priority = %s AND i.id >= %s", "i.id"),
    ("i.priority < %s AND i.id > 0 * %s", "i.priority DESC, i.id"),
)
_AROUND = " UNION ALL ".join(
    f"SELECT * FROM (SELECT i.id AS id, i.priority AS priority, {_LOOK} AS look FROM reviewapp_queueitem i "  # noqa: S608
    f"WHERE i.queue_id = %s AND {where} ORDER BY {order} LIMIT {MAX_NEIGHBOURS + 1}) AS way_{number}"
    for number, (where, order) in enumerate(_WAYS)
)
_POSITION = """
    SELECT (SELECT COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s AND priority = %s AND id < %s)
        + (SELECT COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s AND priority > %s)
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """One item on the rail; `look` is reviewed, flagged, skipped, with-others or to-come."""

    pk: int
    status: str
    is_current: bool

    @property
    def words(self) -> str:
        return self.status.replace("-", " ")


def load_rail(item: QueueItem, user: User) -> list[Segment]:
    """The item between its nearest neighbours, in the queue's order."""
    way = (user.pk, clock.now(), item.queue_id, item.priority, item.pk)
    rows = sorted(sql.fetch_rows(_AROUND, *(way * len(_WAYS))), key=lambda row: (-row[1], row[0]))
    here = next(number for number, row in enumerate(rows) if row[0] == item.pk)
    near = rows[max(0, here - MAX_NEIGHBOURS) : here + MAX_NEIGHBOURS + 1]
    return [Segment(pk, look, pk == item.pk) for pk, _, look in near]


def queue_position(item: QueueItem) -> int:
    """Which one of its queue the item is, from 1."""
    place = (item.queue_id, item.priority)
    return 1 + int(sql.fetch_rows(_POSITION, *place, item.pk, *place)[0][0])
