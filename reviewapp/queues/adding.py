"""Add traces to a queue: pasted, sent by an application, or selected by a rule.

A trace is in a queue at most once; in a queue of sessions, a session is.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import sql, trace_ids
from reviewapp.lib.batches import batched
from reviewapp.queues import assigning
from reviewapp.queues.models import ItemState, Queue, QueueItem, Removal, Rule, SampleDay, Source, WhoReviews
from reviewapp.queues.sessions import UnitKey, find_rows, map_units
from reviewapp.traces.sync import pull

MAX_ITEMS = 1_000
# Columns of an item in which entries differ.
_ENTRY_COLUMNS = (
    "trace_id", "reason", "reference", "priority", "stratum", "inclusion_probability", "draw", "due_at",
)  # fmt: skip
LINE = re.compile(r"([^\s,]*)[\s,]*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One trace to queue: the reason, the caller's own reference, and the priority (higher comes first).

    `stratum`, `inclusion_probability` and `draw` are as in QueueItem. `due_at` is when it should be reviewed by.
    """

    trace_id: UUID
    reason: str = ""
    reference: str = ""
    priority: int = 0
    stratum: str = ""
    inclusion_probability: Decimal | None = None
    draw: float | None = None
    due_at: datetime | None = None


class QueuedItem(NamedTuple):
    """An item that an entry added or met: its primary key and state."""

    pk: int
    state: str


@dataclass(frozen=True, slots=True)
class AddResult:
    """The outcome of `add`. `items` follows the order of the entries, None for an entry that was not added.

    `added` and `duplicates` count entries that were new and already in the queue. `removed` counts entries not added
    because a person removed their trace earlier, `brought_back` traces that were added in spite of that.
    """

    items: list[QueuedItem | None]
    added: int
    duplicates: int
    removed: int = 0
    brought_back: int = 0


class QueueArchivedError(Exception):
    """The queue is archived; nothing was added. The message is a sentence."""

    def __init__(self) -> None:
        super().__init__("This queue is archived. Take it out of the archive, or choose another queue.")


@dataclass(frozen=True, slots=True)
class AddPreview:
    """What `add` would meet: traces that are new, in the queue (by state) or removed from it; repeats count as pending.

    `closed_items` are the completed and skipped items.
    """

    new: int
    pending: int
    completed: int
    skipped: int
    removed: int
    closed_items: Sequence[int] = ()


@dataclass(slots=True)
class Paste:
    """A parsed paste: its entries, and each line that could not be read, with an error."""

    entries: list[Entry] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    refused_lines: list[str] = field(default_factory=list)


def parse_paste(text: str, *, reason: str = "", priority: int = 0, due_at: datetime | None = None) -> Paste:
    """Parse one trace id or Laminar link per line, optionally followed by a comma or white space and a reference."""
    lines = [(number, line.strip()) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()]
    if len(lines) > MAX_ITEMS:
        return Paste(errors=[f"This paste has {len(lines):,} lines. The maximum is {MAX_ITEMS:,}. Split it."])
    paste = Paste()
    for number, line in lines:
        try:
            trace_id, reference = _parse_line(line)
            paste.entries.append(Entry(trace_id, reason, reference, priority, due_at=due_at))
        except ValueError as error:
            paste.errors.append(f"Line {number}: {error}")
            paste.refused_lines.append(line)
    return paste


def _parse_line(line: str) -> tuple[UUID, str]:
    """The trace id of a line, and its reference. Raises ValueError with a sentence."""
    word, reference = LINE.findall(line)[0]
    trace_id = trace_ids.parse_link(word)
    if len(reference) > 200:
        raise ValueError("the reference is longer than 200 characters. Shorten it.")
    if "\0" in reference:
        raise ValueError("the reference contains a character that cannot be stored (NUL). Remove it.")
    return trace_id, reference


def add(
    queue: Queue,
    entries: Sequence[Entry],
    actor: User | str,
    *,
    source: Source = Source.UNKNOWN,
    rule: Rule | None = None,
    sample_day: SampleDay | None = None,
    bring_back: bool = False,
) -> AddResult:
    """Add traces to the queue and request a pull of the new ones. Existing items do not change.

    But one that a rule sampled no longer makes room for other traces of that rule if someone else adds it.
    Traces that a person removed from the queue are not added, except with `bring_back`. Raises QueueArchivedError.
    """
    with transaction.atomic():
        # Serialise calls per queue, so that each reports correctly which items were new.
        locked_queue = Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        if locked_queue.archived_at is not None:
            raise QueueArchivedError
        units = map_units(locked_queue, [entry.trace_id for entry in entries])
        by_unit: dict[UnitKey, Entry] = {}
        for entry in entries:
            by_unit.setdefault(units[entry.trace_id], entry)
        existing = find_rows(_load_briefly(queue), queue.project, units)
        removed = _find_removed(queue, units, delete=bring_back)
        excluded = set() if bring_back else removed
        missing = {
            entry.trace_id: entry for unit, entry in by_unit.items() if unit not in existing and unit not in excluded
        }
        if rule is None:
            _end_draws(existing.values())
        template = QueueItem(
            queue=queue, source=source, rule=rule, sample_day=sample_day, added_by=get_actor_name(actor)
        )
        new_pks = _insert_items(template, list(missing.values()))
        if locked_queue.who_reviews == WhoReviews.ASSIGNED:
            assigning.assign_new(locked_queue, list(new_pks.values()))
        pull.request_pull(queue.project, missing)
        if missing:
            record(queue.project, actor, "added items", f"queue:{queue.slug}", count=len(missing))
    items = {unit: QueuedItem(item.pk, item.state) for unit, item in existing.items()}
    items |= {units[trace_id]: QueuedItem(pk, ItemState.PENDING) for trace_id, pk in new_pks.items()}
    results = [items.get(units[entry.trace_id]) for entry in entries]
    return AddResult(
        items=results,
        added=len(missing),
        duplicates=len(results) - results.count(None) - len(missing),
        removed=sum(units[entry.trace_id] in excluded for entry in entries),
        brought_back=len(removed) if bring_back else 0,
    )


def preview_add(queue: Queue, trace_ids: Sequence[UUID]) -> AddPreview:
    """Count what adding these traces would meet; nothing changes."""
    units = map_units(queue, trace_ids)
    items = find_rows(_load_briefly(queue), queue.project, units)
    removed = _find_removed(queue, units, delete=False)
    states = Counter(items[unit].state if unit in items else "removed" if unit in removed else "new"
                     for unit in set(units.values()))  # fmt: skip
    return AddPreview(
        new=states["new"], completed=states[ItemState.COMPLETED], skipped=states[ItemState.SKIPPED],
        pending=states[ItemState.PENDING] + len(trace_ids) - states.total(), removed=states["removed"],
        closed_items=[item.pk for item in items.values() if item.state != ItemState.PENDING],
    )  # fmt: skip


def _end_draws(items: Iterable[QueueItem]) -> None:
    """Keep these items whatever a rule samples later."""
    pks = [item.pk for item in items if item.draw is not None]
    for batch in batched(pks):
        QueueItem.objects.filter(pk__in=batch).update(draw=None)


def _load_briefly(queue: Queue) -> QuerySet[QueueItem]:
    """The queue's items with only what adding needs of them."""
    return QueueItem.objects.filter(queue=queue).only("trace_id", "state", "draw")


def _insert_items(template: QueueItem, entries: Sequence[Entry]) -> dict[UUID, int]:
    """Insert an item for each entry, otherwise as `template`. Returns the primary keys by trace id."""
    trace_ids = [entry.trace_id for entry in entries]
    by_stored_id = dict(zip(sql.to_db_values(trace_ids), trace_ids, strict=True))
    rows = [[getattr(entry, name) for name in _ENTRY_COLUMNS] for entry in entries]
    inserted = sql.insert_copies(template, _ENTRY_COLUMNS, rows, "trace_id", "id")
    return {by_stored_id[trace_id]: pk for trace_id, pk in inserted}


def _find_removed(queue: Queue, units: Mapping[UUID, UnitKey], *, delete: bool) -> set[UnitKey]:
    """Return the units that a person removed from the queue; with `delete`, delete these removals."""
    if not Removal.objects.filter(queue=queue).exists():
        return set()
    removals = find_rows(Removal.objects.filter(queue=queue), queue.project, units)
    if delete:
        for pks in batched([removal.pk for removal in removals.values()]):
            Removal.objects.filter(pk__in=pks).delete()
    return set(removals)
