"""Which rows a lease takes: of which projects, in which order, how many."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from reviewapp.delivery import allowing
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import sql

# Of each project: when its longest waiting row was due. A lease costs the same however many rows there are.
_READY = """
    SELECT p.id,
        (SELECT w.due_at FROM reviewapp_patch w WHERE w.project_id = p.id AND w.state = 'waiting' AND w.due_at <= %s
         ORDER BY w.due_at LIMIT 1),
        p.push_limit, b.held_until IS NOT NULL
    FROM reviewapp_project p LEFT JOIN reviewapp_breaker b ON b.project_id = p.id
    WHERE b.id IS NULL OR (b.restored_at IS NULL AND (b.held_until IS NULL OR b.held_until <= %s))
"""
# Due, and no other of the same trace under way.
_DUE = """
    SELECT w.* FROM reviewapp_patch w
    WHERE w.project_id = %s AND w.state = 'waiting' AND w.due_at <= %s AND NOT EXISTS (
        SELECT 1 FROM reviewapp_patch s
        WHERE s.project_id = w.project_id AND s.trace_id = w.trace_id AND s.state = 'sending')
    ORDER BY due_at, id LIMIT %s FOR UPDATE OF w SKIP LOCKED
"""


class Ready(NamedTuple):
    """A project with something to push that is not held."""

    project_id: int
    oldest: Any
    push_limit: int | None
    # The far side failed, and the time to try it again has come.
    is_probed: bool


def ready(now: datetime) -> list[Ready]:
    """The project that has waited longest first."""
    found = [Ready(*row) for row in sql.rows(_READY, now, now) if row[1] is not None]
    return sorted(found, key=lambda one: str(one.oldest))


def due_of(one: Ready, room: int, now: datetime) -> list[Patch]:
    """Up to `room` due patches of a project, one per trace, locked. Call it in a transaction."""
    due = _DUE
    if one.is_probed:
        mine = Breaker.objects.select_for_update(skip_locked=True).filter(project=one.project_id).first()
        if mine is None or Patch.objects.filter(project=one.project_id, state=State.SENDING).exists():
            return []
        # The one that failed least goes to try: one that always fails would hold the others for ever.
        due, room = _DUE.replace("ORDER BY", "ORDER BY failures,"), 1
    elif one.push_limit is not None:
        room = min(room, allowing.take(one.project_id, one.push_limit, room, now))
    found: dict[UUID, Patch] = {}
    for patch in sql.objects(Patch, due, one.project_id, now, room):
        found.setdefault(patch.trace_id, patch)
    if one.push_limit is not None and not one.is_probed and len(found) < room:
        allowing.give_back(one.project_id, room - len(found))
    return list(found.values())
