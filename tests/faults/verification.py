"""Compare the reviewers' acknowledged saves with the database and with the fake Laminar's log."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reviewapp.accounts.models import Project
from reviewapp.delivery.confirmation import CONFIRMED_MESSAGE
from reviewapp.delivery.models import Attempt, Patch
from reviewapp.delivery.results import ACCEPTED_MESSAGE
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from tests.faults.processes import FakeLaminar, Freeze
from tests.faults.reviewers import AcknowledgedSave

LogEntry = dict[str, Any]


@dataclass(slots=True)
class Verdict:
    """The result of a run. Each list has one sentence per error."""

    saves: int
    # Acknowledged saves missing in the database, revisions that nobody saved, and duplicates.
    missing_saves: list[str] = field(default_factory=list)
    # Items whose newest revision Laminar does not show.
    missing_in_laminar: list[str] = field(default_factory=list)
    # Revisions sent after a newer one of the trace, or applied after it although Laminar did not reorder them.
    out_of_order: list[str] = field(default_factory=list)
    # Requests opened while another of the same trace was open.
    overlaps: list[str] = field(default_factory=list)
    # Not an error: the same, but the first by a frozen worker, which can neither send more nor cancel what it sent.
    frozen_overlaps: list[str] = field(default_factory=list)
    # Revisions sent more often than failures, killed workers and values that did not appear explain.
    doubled: list[str] = field(default_factory=list)
    sends: int = 0
    max_sends: int = 0

    @property
    def errors(self) -> list[str]:
        return self.missing_saves + self.missing_in_laminar + self.out_of_order + self.overlaps + self.doubled


def verify_run(
    project: Project, saves: list[AcknowledgedSave], fake_laminar: FakeLaminar, freezes: Sequence[Freeze] = ()
) -> Verdict:
    """Compare, after everything has recovered and every patch is confirmed or superseded."""
    verdict, log = Verdict(len(saves)), fake_laminar.log()
    trace_ids = {item.pk: str(item.trace_id) for item in QueueItem.objects.filter(queue__project=project)}
    verdict.missing_saves = _find_missing_saves(saves)
    verdict.missing_in_laminar = _find_missing_in_laminar(saves, trace_ids, fake_laminar.get_metadata())
    verdict.out_of_order = _find_out_of_order(log)
    for first, second in _find_overlaps(log):
        error = f"request {second['number']} sent while {first['number']} of {first['trace']} was open"
        is_frozen = _is_frozen(first, second["time"], freezes)
        (verdict.frozen_overlaps if is_frozen else verdict.overlaps).append(error)
    pushes = [entry for entry in log if entry["event"] == "request" and entry["endpoint"] == "metadata"]
    verdict.sends = len(pushes)
    sends_by_revision = Counter((entry["trace"], entry["metadata"]["review_rev"]) for entry in pushes)
    verdict.max_sends = max(sends_by_revision.values(), default=0)
    verdict.doubled = _find_doubled(project, sends_by_revision)
    return verdict


def p99_ms(seconds: list[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return round(statistics.quantiles(seconds, n=100)[98] * 1000, 1)


def _find_missing_saves(saves: list[AcknowledgedSave]) -> list[str]:
    """Check that each acknowledged save is exactly one revision with its answers, and that there are no others."""
    rows = Review.objects.values_list("item", "revision", "score", "notes", "reviewer__username")
    stored = Counter((item, revision, float(score or 0), notes, name) for item, revision, score, notes, name in rows)
    acknowledged = Counter((save.item, save.version, float(save.score), save.notes, save.reviewer) for save in saves)
    lost, unacknowledged = acknowledged - stored, stored - acknowledged
    return [f"lost: {row}" for row in lost] + [f"never acknowledged: {row}" for row in unacknowledged]


def _find_missing_in_laminar(
    saves: list[AcknowledgedSave], trace_ids: dict[int, str], metadata_by_trace: dict[str, dict[str, Any]]
) -> list[str]:
    """Check that Laminar shows the last save of each item."""
    errors = []
    for save in {save.item: save for save in sorted(saves, key=lambda save: save.version)}.values():
        metadata = metadata_by_trace.get(trace_ids[save.item], {})
        shown = tuple(metadata.get(key) for key in ("review_rev", "score", "notes", "reviewer"))
        if shown != (save.version, float(save.score), save.notes, save.reviewer):
            errors.append(f"item {save.item} is at version {save.version}, Laminar shows {shown}")
    return errors


def _find_out_of_order(log: list[LogEntry]) -> list[str]:
    newest: dict[tuple[str, str], int] = defaultdict(int)
    errors = []
    for entry in log:
        # Skip what a fault applied late or twice: Laminar caused that order, and only the final value counts.
        if entry["endpoint"] != "metadata" or not (
            entry["event"] == "request" or (entry["event"] == "applied" and not entry["fault"])
        ):
            continue
        key, revision = (entry["trace"], entry["event"]), entry["metadata"]["review_rev"]
        if revision < newest[key]:
            errors.append(f"{entry['event']} {revision} after {newest[key]} of {entry['trace']}")
        newest[key] = max(newest[key], revision)
    return errors


def _find_overlaps(log: list[LogEntry]) -> list[tuple[LogEntry, LogEntry]]:
    """Return pairs of requests for one trace where the second arrived while the first was open."""
    open_requests: dict[str, LogEntry] = {}
    overlaps = []
    for entry in log:
        if entry["endpoint"] != "metadata":
            continue
        trace = entry["trace"]
        if entry["event"] == "request":
            if trace in open_requests:
                overlaps.append((open_requests[trace], entry))
            open_requests[trace] = entry
        elif (
            entry["event"] in ("response", "disconnected")
            and trace in open_requests
            and open_requests[trace]["number"] == entry["number"]
        ):
            del open_requests[trace]
    return overlaps


def _find_doubled(project: Project, sends_by_revision: Counter[tuple[str, int]]) -> list[str]:
    """Check that each send after a patch's first has a cause: an attempt that failed or was interrupted, or a read-back
    without the values."""
    attempts = Attempt.objects.filter(patch__project=project)
    without_success = attempts.exclude(outcome__in=[ACCEPTED_MESSAGE, CONFIRMED_MESSAGE])
    causes = Counter(without_success.values_list("patch", flat=True))
    explained: Counter[tuple[str, int]] = Counter()
    for patch in Patch.objects.filter(project=project):
        explained[str(patch.trace_id), patch.values["review_rev"]] += 1 + causes[patch.pk]
    return [
        f"revision {revision} of {trace} was sent {count} times, {explained[trace, revision]} of them explained"
        for (trace, revision), count in sends_by_revision.items()
        if count > explained[trace, revision]
    ]


def _is_frozen(request: LogEntry, time: float, freezes: Sequence[Freeze]) -> bool:
    """Whether the process that sent the request was frozen at `time`, in seconds since 1970."""
    return any(request["port"] in freeze.ports and freeze.started_at <= time <= freeze.ended_at for freeze in freezes)
