"""Keep a random sample of a day's traces under a rule's daily maximum, whenever in the day they arrive.

Each sampled trace has a draw, uniform in [0, 1); the smallest draws of the day are kept. A later trace with a smaller
draw takes the place of an item that nobody has opened. So the kept traces are not just the first ones of the morning.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from reviewapp.queues import adding
from reviewapp.queues.models import PassedOver, QueueItem, Rule, SampleDay, Source
from reviewapp.queues.rules import sampling
from reviewapp.queues.rules.sampling import SampledTrace
from reviewapp.queues.sessions import find_items


def add_sample(rule: Rule, cap: int, sampled: Sequence[SampledTrace], today: date) -> int:
    """Add those of the sampled traces that belong to the day's `cap` smallest draws, in the rule's transaction.

    Returns the number of further items in the queue.
    """
    day = _open_day(rule, today)
    queued = find_items(rule.queue, [trace.trace_id for trace in sampled])
    candidates = sorted((trace for trace in sampled if trace.trace_id not in queued), key=lambda trace: trace.draw)
    chosen, displaced = _choose(day, cap, candidates)
    entries = [sampling.make_entry(rule, trace) for trace in chosen]
    result = adding.add(rule.queue, entries, f"rule:{rule.name}", source=Source.RULE, rule=rule, sample_day=day)
    new_count = len(candidates) - _count_passed_over(day, candidates)
    kept_ids = {trace.trace_id for trace in chosen}
    _pass_over(day, [*displaced, *(trace.trace_id for trace in candidates if trace.trace_id not in kept_ids)])
    further = result.added - len(displaced)
    # The rule is locked, and so is its day.
    SampleDay.objects.filter(pk=day.pk).update(eligible=day.eligible + new_count, kept=day.kept + further)
    return further


def _open_day(rule: Rule, today: date) -> SampleDay:
    """The rule's sample of today. When it begins, what earlier days passed over is forgotten."""
    day, is_new = SampleDay.objects.get_or_create(
        rule=rule, day=today, defaults={"eligible": rule.added_today, "kept": rule.added_today}
    )
    if is_new:
        PassedOver.objects.filter(sample_day__rule=rule).exclude(sample_day=day).delete()
    return day


def _choose(day: SampleDay, cap: int, candidates: Sequence[SampledTrace]) -> tuple[list[SampledTrace], list[UUID]]:
    """Choose from candidates, smallest draw first, and delete the items whose places they take: their trace ids."""
    displaced: list[UUID] = []
    for number, trace in enumerate(candidates):
        if day.kept + number - len(displaced) < cap:
            continue
        trace_id = _displace(day, trace.draw)
        if trace_id is None:
            return list(candidates[:number]), displaced
        displaced.append(trace_id)
    return list(candidates), displaced


def _displace(day: SampleDay, draw: float) -> UUID | None:
    """Delete the day's item with the largest draw above `draw` that nobody has opened, and return its trace id."""
    unopened = QueueItem.objects.pending().filter(version=0, claimed_by=None, drafts=None, skips=None)
    larger = unopened.filter(sample_day=day, draw__gt=draw).order_by("-draw")
    item = larger.select_for_update(skip_locked=True, of=("self",)).first()
    if item is None:
        return None
    item.delete()
    return item.trace_id


def _count_passed_over(day: SampleDay, candidates: Sequence[SampledTrace]) -> int:
    trace_ids = [trace.trace_id for trace in candidates]
    return PassedOver.objects.filter(sample_day=day, trace_id__in=trace_ids).count()


def _pass_over(day: SampleDay, trace_ids: Sequence[UUID]) -> None:
    rows = [PassedOver(sample_day=day, trace_id=trace_id) for trace_id in trace_ids]
    PassedOver.objects.bulk_create(rows, ignore_conflicts=True)
