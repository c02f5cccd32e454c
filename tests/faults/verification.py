"""What became of every acknowledged save: the list kept by the people against the database and the sink's log."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reviewapp.accounts.models import Project
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from tests.faults.processes import FakeLaminar, Freeze
from tests.faults.reviewers import AcknowledgedSave

Line = dict[str, Any]


@dataclass(slots=True)
class Verdict:
    """What a run has shown. Each list holds what should not be, in words."""

    saves: int
    # Acknowledged, and not in the database as it was said, or there twice.
    lost_here: list[str] = field(default_factory=list)
    # In the database as the newest, and not what the sink holds.
    lost_there: list[str] = field(default_factory=list)
    # Sent after a newer one of the trace; applied so though the sink did not reorder.
    inversions: list[str] = field(default_factory=list)
    # Two requests of a trace open at one time.
    overlaps: list[str] = field(default_factory=list)
    # The same, where the first was of a worker that stood still: it can neither send more nor let go of what it sent.
    beside_frozen: list[str] = field(default_factory=list)
    sends: int = 0
    most_sends: int = 0

    @property
    def faults(self) -> list[str]:
        """All that should not be."""
        return self.lost_here + self.lost_there + self.inversions + self.overlaps


def verify_run(
    project: Project, acks: list[AcknowledgedSave], sink: FakeLaminar, freezes: Sequence[Freeze] = ()
) -> Verdict:
    """Compare, once everything is healthy again and every patch has come to its end."""
    verdict, log = Verdict(len(acks)), sink.log()
    traces = {item.pk: str(item.trace_id) for item in QueueItem.objects.filter(queue__project=project)}
    verdict.lost_here = _lost_here(acks)
    verdict.lost_there = _lost_there(acks, traces, sink.get_metadata())
    verdict.inversions = _inversions(log)
    for first, second in _overlaps(log):
        told = f"{second['n']} while {first['n']} of {first['trace']} was open"
        (verdict.beside_frozen if _is_frozen(first, second["at"], freezes) else verdict.overlaps).append(told)
    pushes = [line for line in log if line["what"] == "asked" and line["on"] == "metadata"]
    verdict.sends = len(pushes)
    again = Counter((line["trace"], line["metadata"]["review_rev"]) for line in pushes)
    verdict.most_sends = max(again.values(), default=0)
    return verdict


def p99_ms(seconds: list[float]) -> float:
    """In milliseconds."""
    return round(statistics.quantiles(seconds, n=100)[98] * 1000, 1)


def _lost_here(acks: list[AcknowledgedSave]) -> list[str]:
    """Every acknowledged save is one revision, and what it said; there are no others."""
    rows = Review.objects.values_list("item", "revision", "score", "notes", "reviewer__username")
    there = Counter((item, revision, float(score or 0), notes, name) for item, revision, score, notes, name in rows)
    said = Counter((ack.item, ack.version, float(ack.score), ack.notes, ack.reviewer) for ack in acks)
    return [f"lost {row}" for row in said - there] + [f"never said {row}" for row in there - said]


def _lost_there(acks: list[AcknowledgedSave], traces: dict[int, str], held: dict[str, dict[str, Any]]) -> list[str]:
    """The sink holds what was said last of each item."""
    found = []
    for ack in {ack.item: ack for ack in sorted(acks, key=lambda ack: ack.version)}.values():
        there = held.get(traces[ack.item], {})
        shown = (there.get("review_rev"), there.get("score"), there.get("notes"), there.get("reviewer"))
        if shown != (ack.version, float(ack.score), ack.notes, ack.reviewer):
            found.append(f"item {ack.item} is at {ack.version}, Laminar shows {shown}")
    return found


def _inversions(log: list[Line]) -> list[str]:
    newest: dict[tuple[str, str], int] = defaultdict(int)
    found = []
    for line in log:
        # What the sink itself applies late or again is its own disorder: there the value it ends with counts.
        if line["on"] != "metadata" or not (
            line["what"] == "asked" or (line["what"] == "applied" and not line["fault"])
        ):
            continue
        place, rev = (line["trace"], line["what"]), line["metadata"]["review_rev"]
        if rev < newest[place]:
            found.append(f"{line['what']} {rev} after {newest[place]} of {line['trace']}")
        newest[place] = max(newest[place], rev)
    return found


def _overlaps(log: list[Line]) -> list[tuple[Line, Line]]:
    """Requests that were open when another of their trace was asked, each with that other."""
    open_now: dict[str, Line] = {}
    found = []
    for line in log:
        if line["on"] != "metadata":
            continue
        trace = line["trace"]
        if line["what"] == "asked":
            if trace in open_now:
                found.append((open_now[trace], line))
            open_now[trace] = line
        elif line["what"] in ("answered", "gone") and trace in open_now and open_now[trace]["n"] == line["n"]:
            del open_now[trace]
    return found


def _is_frozen(asked: Line, at: float, freezes: Sequence[Freeze]) -> bool:
    """Whether the process that asked stood still at that time."""
    return any(asked["port"] in freeze.ports and freeze.since <= at <= freeze.until for freeze in freezes)
