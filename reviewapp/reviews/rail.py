"""The rail above the trace: an item's neighbours in its queue, and its position.

Plain SQL, because every page of the workbench shows it: each part walks the queue's index from the item outwards, so
a queue of many thousands costs as much as a short one.
"""

from dataclasses import dataclass

from reviewapp.accounts.models import User
from reviewapp.lib import clock, sql
from reviewapp.queues.models import QueueItem

# Items shown on either side of the current one.
MAX_NEIGHBOURS = 24

_STATUS = """
    CASE i.state
        WHEN 'skipped' THEN 'skipped'
        WHEN 'completed' THEN CASE WHEN EXISTS (
            SELECT 1 FROM reviewapp_review r WHERE r.item_id = i.id AND r.is_latest AND r.needs_review
        ) THEN 'flagged' ELSE 'reviewed' END
        ELSE CASE WHEN i.claimed_by_id <> %s AND i.claimed_until > %s THEN 'with-others' ELSE 'to-come' END
    END
"""
# The four index ranges around an item, as (condition, order): nearest first.
_RANGES = (
    ("i.priority = %s AND i.id < %s", "i.id DESC"),
    ("i.priority > %s AND i.id > 0 * %s", "i.priority, i.id DESC"),
    ("i.priority = %s AND i.id >= %s", "i.id"),
    ("i.priority < %s AND i.id > 0 * %s", "i.priority DESC, i.id"),
)
_NEIGHBOURS = " UNION ALL ".join(
    f"SELECT * FROM (SELECT i.id AS id, i.priority AS priority, {_STATUS} AS status FROM reviewapp_queueitem i "  # noqa: S608
    f"WHERE i.queue_id = %s AND {condition} ORDER BY {order} LIMIT {MAX_NEIGHBOURS + 1}) AS range_{number}"
    for number, (condition, order) in enumerate(_RANGES)
)
_POSITION = """
    SELECT (SELECT COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s AND priority = %s AND id < %s)
        + (SELECT COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s AND priority > %s)
"""


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
    rows = sorted(sql.fetch_rows(_NEIGHBOURS, *(values * len(_RANGES))), key=lambda row: (-row[1], row[0]))
    current = next(number for number, row in enumerate(rows) if row[0] == item.pk)
    neighbours = rows[max(0, current - MAX_NEIGHBOURS) : current + MAX_NEIGHBOURS + 1]
    return [Segment(pk, status, pk == item.pk) for pk, _, status in neighbours]


def queue_position(item: QueueItem) -> int:
    """The item's position in its queue, from 1."""
    queue_and_priority = (item.queue_id, item.priority)
    return 1 + int(sql.fetch_rows(_POSITION, *queue_and_priority, item.pk, *queue_and_priority)[0][0])
