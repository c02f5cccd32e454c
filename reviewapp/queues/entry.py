"""How traces get into a queue: pasted, handed over by an application, or by a rule. Told twice, they stand once."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import trace_ids
from reviewapp.queues.models import Queue, QueueItem, Removal, Rule
from reviewapp.traces.sync import pull

MAX_ITEMS = 1_000
# A link to a trace in Laminar, as people copy it from the address bar: its own page, or beside the list.
_LINK = re.compile(r"https?://\S+/traces(?:/|\?(?:\S*&)?traceId=)([0-9a-fA-F-]{32,36})(?:[/?&#]\S*)?")
_LINE = re.compile(r"([^\s,]*)[\s,]*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One trace to queue: why, the caller's own handle, and how urgent (higher comes first)."""

    trace_id: UUID
    reason: str = ""
    reference: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Added:
    """What adding did: every item in the order given, None for what was left out; how many were new, stood here.

    `removed` were left out because a person took them out of the queue, `brought_back` came in spite of that.
    """

    items: list[QueueItem | None]
    added: int
    duplicates: int
    removed: int = 0
    brought_back: int = 0


@dataclass(slots=True)
class Paste:
    """A pasted text, read line by line."""

    entries: list[Entry] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def parse_paste(text: str, *, reason: str = "") -> Paste:
    """One trace id or Laminar link a line, then optionally a comma or white space and a reference."""
    lines = [(number, line.strip()) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()]
    if len(lines) > MAX_ITEMS:
        return Paste(errors=[f"These are {len(lines):,} lines; {MAX_ITEMS:,} at most go in one paste. Split it."])
    paste = Paste()
    for number, line in lines:
        word, reference = _LINE.findall(line)[0]
        link = _LINK.fullmatch(word)
        try:
            trace_id = trace_ids.parse(link[1] if link else word)
        except trace_ids.InvalidTraceIdError as error:
            paste.errors.append(f"Line {number}: {error}")
            continue
        if len(reference) > 200:
            paste.errors.append(f"Line {number}: the reference is longer than 200 characters. Shorten it.")
            continue
        paste.entries.append(Entry(trace_id, reason=reason, reference=reference))
    return paste


def add(
    queue: Queue,
    entries: Sequence[Entry],
    actor: User | str,
    *,
    rule: Rule | None = None,
    limit: int | None = None,
    bring_back: bool = False,
) -> Added:
    """Put traces into the queue; those already there stay as they are, and the worker pulls the new ones.

    What a person removed from it is left out, unless this `brings_back`. `most` bounds how many are new.
    """
    wanted: dict[UUID, Entry] = {}
    for entry in entries:
        wanted.setdefault(entry.trace_id, entry)
    with transaction.atomic():
        # One call at a time for each queue: so each is told rightly what was new.
        Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        items = _present(queue, wanted)
        removed = _removed(queue, wanted, forget=bring_back)
        left_out = set() if bring_back else removed
        absent = [entry for entry in wanted.values() if entry.trace_id not in items and entry.trace_id not in left_out]
        new = [
            QueueItem(
                queue=queue, trace_id=entry.trace_id, reason=entry.reason, reference=entry.reference,
                priority=entry.priority, rule=rule, added_by=get_actor_name(actor),
            )
            for entry in absent[:limit]
        ]  # fmt: skip
        QueueItem.objects.bulk_create(new, batch_size=200)
        items.update({item.trace_id: item for item in new})
        pull.request_pull(queue.project, [item.trace_id for item in new])
        if new:
            record(queue.project, actor, "added items", f"queue:{queue.slug}", count=len(new))
    told = [items.get(entry.trace_id) for entry in entries]
    duplicates = len(told) - told.count(None) - len(new)
    kept_out = sum(entry.trace_id in left_out for entry in entries)
    return Added(told, len(new), duplicates, removed=kept_out, brought_back=len(removed) if bring_back else 0)


def _present(queue: Queue, wanted: dict[UUID, Entry]) -> dict[UUID, QueueItem]:
    rows = (QueueItem.objects.filter(queue=queue, trace_id__in=part) for part in _parts(wanted))
    return {item.trace_id: item for part in rows for item in part}


def _removed(queue: Queue, wanted: dict[UUID, Entry], *, forget: bool) -> set[UUID]:
    """Those of the traces that a person took out of the queue; told to forget it, nothing says so any more."""
    found: set[UUID] = set()
    for part in _parts(wanted):
        removals = Removal.objects.filter(queue=queue, trace_id__in=part)
        some = set(removals.values_list("trace_id", flat=True))
        if some and forget:
            removals.delete()
        found |= some
    return found


def _parts(wanted: dict[UUID, Entry]) -> Iterator[list[UUID]]:
    ids = list(wanted)
    return (ids[start : start + 500] for start in range(0, len(ids), 500))
