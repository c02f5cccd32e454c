"""Dry-run a rule: compute which traces of the last days it would have added, without writing anything."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from reviewapp.lib import clock
from reviewapp.queues.models import Rule
from reviewapp.queues.rules import sampling
from reviewapp.queues.rules.sampling import SampledTrace
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.metadata.pairs import Pair
from reviewapp.traces.models import Trace

# Today is the last of these days.
DRY_RUN_DAYS = 7
# Scan only the newest traces, because a lead waits for the result.
MAX_TRACES = 5_000
MAX_EXAMPLES = 20

# Start times by primary key, newest first.
StartTimes = dict[int, datetime]


@dataclass(frozen=True, slots=True)
class Day:
    """One day in UTC: how many of its traces match, how many are sampled, and how many of these the cap allows."""

    date: date
    matching: int
    sampled: int
    added: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """The days, newest first, and the newest traces that would be sampled, each with whether it matches the pairs.

    If there are more traces than the dry run scans (`is_cut`), it covers only the newest, back to `since`.
    """

    days: list[Day]
    examples: list[tuple[Trace, bool]]
    is_cut: bool
    since: datetime

    @property
    def matching(self) -> int:
        return sum(day.matching for day in self.days)

    @property
    def sampled(self) -> int:
        return sum(day.sampled for day in self.days)

    @property
    def added(self) -> int:
        return sum(day.added for day in self.days)


def dry_run_rule(rule: Rule) -> DryRun:
    """Return what this rule, saved or not, would have added of the traces that started in the last days."""
    since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DRY_RUN_DAYS - 1)
    matching, is_cut = _fetch_newest(rule, rule.conditions, since)
    scanned = dict(matching)
    oldest = [min(matching.values())] if is_cut else []
    if rule.conditions and rule.rest_percent:
        # The newest of all traces: those that are not in `matching` match no pairs, unless `matching` was cut.
        newest, is_newest_cut = _fetch_newest(rule, [], since)
        scanned |= newest
        oldest += [min(newest.values())] if is_newest_cut else []
    # A list that was cut is complete only from its oldest trace on, so start where both lists are complete.
    since = max([since, *oldest])
    scanned = {pk: start_time for pk, start_time in scanned.items() if start_time >= since}
    matching = {pk: start_time for pk, start_time in matching.items() if pk in scanned}
    sampled = sampling.sample_traces(rule, _fetch_trace_ids(scanned), set(matching))
    sampled.sort(key=lambda trace: (scanned[trace.trace_pk], trace.trace_pk), reverse=True)
    days = [day for day in _count_by_day(rule, scanned, matching, sampled) if day.date >= since.date()]
    return DryRun(days, _fetch_examples(sampled), bool(oldest), since)


def _fetch_newest(rule: Rule, pairs: list[Pair], since: datetime) -> tuple[StartTimes, bool]:
    """Return the newest traces that match these pairs, and whether there are more."""
    traces = FilterView(pairs, since).matching(rule.queue.project).order_by("-start_time", "-place")[: MAX_TRACES + 1]
    rows = [(pk, start_time) for start_time, pk in traces]
    return dict(rows[:MAX_TRACES]), len(rows) > MAX_TRACES


def _fetch_trace_ids(start_times: StartTimes) -> dict[int, UUID]:
    pks = list(start_times)
    trace_ids: dict[int, UUID] = {}
    for start in range(0, len(pks), 500):
        trace_ids |= dict(Trace.objects.filter(pk__in=pks[start : start + 500]).values_list("pk", "trace_id"))
    return trace_ids


def _count_by_day(
    rule: Rule, scanned: StartTimes, matching: Mapping[int, datetime], sampled: list[SampledTrace]
) -> list[Day]:
    matching_counts = Counter(start_time.date() for start_time in matching.values())
    sampled_counts = Counter(scanned[trace.trace_pk].date() for trace in sampled)
    today = clock.now().date()
    days = []
    for offset in range(DRY_RUN_DAYS):
        day = today - timedelta(days=offset)
        count = sampled_counts[day]
        added = count if rule.daily_cap is None else min(count, rule.daily_cap)
        days.append(Day(day, matching_counts[day], count, added))
    return days


def _fetch_examples(sampled: list[SampledTrace]) -> list[tuple[Trace, bool]]:
    newest = sampled[:MAX_EXAMPLES]
    traces = Trace.objects.only("trace_id", "name", "start_time").in_bulk([trace.trace_pk for trace in newest])
    return [(traces[trace.trace_pk], trace.is_match) for trace in newest if trace.trace_pk in traces]
