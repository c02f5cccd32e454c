"""What a rule would have taken of the last days: tried, and nothing written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from reviewapp.lib import clock
from reviewapp.queues.models import Rule
from reviewapp.queues.rules import lifecycle
from reviewapp.queues.rules.lifecycle import SampledTrace
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.metadata.pairs import Pair
from reviewapp.traces.models import Trace

# Today is the last of these days.
DRY_RUN_DAYS = 7
# The newest are looked at, no more: a lead waits for it.
MAX_TRACES = 5_000
EXAMPLES = 20

# Start times by primary key, newest first.
Places = dict[int, datetime]


@dataclass(frozen=True, slots=True)
class Day:
    """One day in UTC: how many of its traces the shares would take, and how many of these the cap lets in."""

    date: date
    matching: int
    sampled: int
    added: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """The days, newest first, and the newest traces that would be taken, each with whether it holds the pairs.

    Of more traces than are looked at (`is_cut`) these are the newest only, back to `since`.
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
    """What this rule, saved or not, would have taken of the traces that began in the last days."""
    since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DRY_RUN_DAYS - 1)
    held, is_cut = _newest(rule, rule.conditions, since)
    looked = dict(held)
    oldest = [min(held.values())] if is_cut else []
    if rule.conditions and rule.rest_percent:
        # The newest of all hold none of the pairs but those among the newest that do.
        others, others_cut = _newest(rule, [], since)
        looked |= others
        oldest += [min(others.values())] if others_cut else []
    # Each that was cut is whole from its own oldest on: both are where the later one begins.
    since = max([since, *oldest])
    looked = {place: start_time for place, start_time in looked.items() if start_time >= since}
    held = {place: start_time for place, start_time in held.items() if place in looked}
    drawn = lifecycle.sample_traces(rule, _trace_ids(looked), set(held))
    drawn.sort(key=lambda each: (looked[each.trace_pk], each.trace_pk), reverse=True)
    days = [day for day in _days(rule, looked, held, drawn) if day.date >= since.date()]
    return DryRun(days, _examples(drawn), bool(oldest), since)


def _newest(rule: Rule, pairs: list[Pair], since: datetime) -> tuple[Places, bool]:
    """The newest traces with these pairs, and whether there are more."""
    places = FilterView(pairs, since).matching(rule.queue.project).order_by("-start_time", "-place")[: MAX_TRACES + 1]
    found = [(place, start_time) for start_time, place in places]
    return dict(found[:MAX_TRACES]), len(found) > MAX_TRACES


def _trace_ids(places: Places) -> dict[int, UUID]:
    pks = list(places)
    found: dict[int, UUID] = {}
    for start in range(0, len(pks), 500):
        found |= dict(Trace.objects.filter(pk__in=pks[start : start + 500]).values_list("pk", "trace_id"))
    return found


def _days(rule: Rule, looked: Places, held: Mapping[int, datetime], drawn: list[SampledTrace]) -> list[Day]:
    matching = Counter(start_time.date() for start_time in held.values())
    sampled = Counter(looked[each.trace_pk].date() for each in drawn)
    today = clock.now().date()
    days = [today - timedelta(days=back) for back in range(DRY_RUN_DAYS)]
    cap = rule.daily_cap
    return [
        Day(day, matching[day], sampled[day], sampled[day] if cap is None else min(sampled[day], cap)) for day in days
    ]


def _examples(drawn: list[SampledTrace]) -> list[tuple[Trace, bool]]:
    newest = drawn[:EXAMPLES]
    traces = Trace.objects.only("trace_id", "name", "start_time").in_bulk([each.trace_pk for each in newest])
    return [(traces[each.trace_pk], each.is_match) for each in newest if each.trace_pk in traces]
