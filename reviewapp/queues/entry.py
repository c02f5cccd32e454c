"""How traces get into a queue: pasted, or handed over by an application. Told twice, they stand once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import name_of, record
from reviewapp.lib import trace_ids
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.traces import pulling

MOST = 1_000
# A link to a trace's page in Laminar, as people copy it from the address bar.
_LINK = re.compile(r"https?://\S+/traces/([0-9a-fA-F-]{32,36})\b")


@dataclass(frozen=True, slots=True)
class Entry:
    """One trace to queue: why, the caller's own handle, and how urgent (higher comes first)."""

    trace_id: UUID
    reason: str = ""
    reference: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Added:
    """What adding did: every item in the order given, and how many of them were new."""

    items: list[QueueItem]
    added: int
    duplicates: int


@dataclass(slots=True)
class Paste:
    """A pasted text, read line by line."""

    entries: list[Entry] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def read_paste(text: str, *, reason: str = "") -> Paste:
    """One trace id or Laminar link a line, then optionally a comma or white space and a reference."""
    paste = Paste()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        word, _, reference = line.strip().replace(",", " ", 1).replace("\t", " ", 1).partition(" ")
        link = _LINK.fullmatch(word)
        try:
            trace_id = trace_ids.parse(link[1] if link else word)
        except trace_ids.NotATraceId as error:
            paste.errors.append(f"Line {number}: {error}")
            continue
        if len(reference.strip()) > 200:
            paste.errors.append(f"Line {number}: the reference is longer than 200 characters. Shorten it.")
            continue
        paste.entries.append(Entry(trace_id, reason=reason, reference=reference.strip()))
    if len(paste.entries) > MOST:
        paste.errors.append(f"These are {len(paste.entries):,} ids; {MOST:,} at most go in one paste. Split it.")
    return paste


def add(queue: Queue, entries: Sequence[Entry], actor: User | str) -> Added:
    """Put traces into the queue; those already there stay as they are, and the worker pulls the new ones."""
    wanted = {entry.trace_id: entry for entry in entries}
    with transaction.atomic():
        before = set(_present(queue, wanted))
        new = [entry for trace_id, entry in wanted.items() if trace_id not in before]
        QueueItem.objects.bulk_create(
            [
                QueueItem(
                    queue=queue, trace_id=entry.trace_id, reason=entry.reason, reference=entry.reference,
                    priority=entry.priority, added_by=name_of(actor),
                )
                for entry in new
            ],
            ignore_conflicts=True,
            batch_size=200,
        )  # fmt: skip
        pulling.want(queue.project, [entry.trace_id for entry in new])
        items = _present(queue, wanted)
        if new:
            record(queue.project, actor, "added items", f"queue:{queue.slug}", count=len(new))
    return Added([items[entry.trace_id] for entry in entries], len(new), len(entries) - len(new))


def _present(queue: Queue, wanted: dict[UUID, Entry]) -> dict[UUID, QueueItem]:
    ids = list(wanted)
    found: dict[UUID, QueueItem] = {}
    for start in range(0, len(ids), 500):
        rows = QueueItem.objects.filter(queue=queue, trace_id__in=ids[start : start + 500])
        found.update({item.trace_id: item for item in rows})
    return found
