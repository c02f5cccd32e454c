"""A rule's daily maximum keeps a random sample of the day, whenever its traces arrive."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
import time_machine

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues import claiming
from reviewapp.queues.adding import Entry, add
from reviewapp.queues.models import PassedOver, Queue, QueueItem, Rule, SampleDay, Stratum
from reviewapp.queues.rules.capping import add_sample
from reviewapp.queues.rules.sampling import sample_traces
from reviewapp.traces.models import Trace
from tests.factories import RuleFactory, TraceFactory
from tests.queues.test_rules import LATER, apply_rules, create_traces

TODAY = datetime(2026, 11, 30, tzinfo=UTC).date()


@pytest.fixture
def rule(queue: Queue) -> Rule:
    return RuleFactory.create(queue=queue, daily_cap=10, salt="c" * 16)


def add_traces(rule: Rule, trace_ids: list[UUID], *, day: int = 0) -> int:
    sampled = sample_traces(rule, dict(enumerate(trace_ids)), set(range(len(trace_ids))))
    return add_sample(rule, rule.daily_cap or 0, sampled, TODAY + timedelta(days=day))


def draws(rule: Rule, trace_ids: list[UUID]) -> dict[UUID, float]:
    sampled = sample_traces(rule, dict(enumerate(trace_ids)), set(range(len(trace_ids))))
    return {trace.trace_id: trace.draw for trace in sampled}


def queued(rule: Rule) -> set[UUID]:
    return set(rule.queue.items.values_list("trace_id", flat=True))


def test_it_keeps_the_smallest_draws_of_the_day(rule: Rule) -> None:
    trace_ids = create_traces(rule.queue, 60)
    for start in range(0, 60, 12):
        add_traces(rule, trace_ids[start : start + 12])
    by_draw = draws(rule, trace_ids)
    assert queued(rule) == set(sorted(trace_ids, key=by_draw.__getitem__)[:10])


def test_it_keeps_the_same_traces_in_any_order(rule: Rule) -> None:
    trace_ids = create_traces(rule.queue, 40)
    add_traces(rule, trace_ids)
    first = queued(rule)
    QueueItem.objects.all().delete()
    SampleDay.objects.all().delete()
    for trace_id in reversed(trace_ids):
        add_traces(rule, [trace_id])
    assert queued(rule) == first


def test_it_counts_the_day(rule: Rule) -> None:
    trace_ids = create_traces(rule.queue, 40)
    assert add_traces(rule, trace_ids[:25]) == 10
    assert add_traces(rule, trace_ids[25:]) == 0
    assert SampleDay.objects.values_list("eligible", "kept").get() == (40, 10)
    assert QueueItem.objects.select_related("sample_day").first().sampling_probability == pytest.approx(0.25)  # type: ignore[union-attr]


def test_it_counts_a_trace_once_whose_metadata_changes(rule: Rule) -> None:
    trace_ids = create_traces(rule.queue, 40)
    add_traces(rule, trace_ids)
    add_traces(rule, trace_ids)
    assert SampleDay.objects.values_list("eligible", "kept").get() == (40, 10)


def test_it_leaves_an_opened_item_in_its_place(rule: Rule, reviewer: User) -> None:
    trace_ids = sorted(create_traces(rule.queue, 30), key=lambda each: -draws(rule, [each])[each])
    add_traces(rule, trace_ids[:10])
    opened = rule.queue.items.get(trace_id=trace_ids[0])
    claiming.claim(opened, reviewer)
    add_traces(rule, trace_ids[10:])
    assert trace_ids[0] in queued(rule)
    assert queued(rule) - {trace_ids[0]} == set(trace_ids[-9:])


def test_it_leaves_an_item_that_somebody_else_added_too(rule: Rule, lead: User) -> None:
    trace_ids = sorted(create_traces(rule.queue, 30), key=lambda each: -draws(rule, [each])[each])
    add_traces(rule, trace_ids[:10])
    assert add(rule.queue, [Entry(trace_ids[0])], lead).duplicates == 1
    add_traces(rule, trace_ids[10:])
    assert trace_ids[0] in queued(rule)


def test_it_begins_anew_each_day(rule: Rule) -> None:
    trace_ids = create_traces(rule.queue, 40)
    assert add_traces(rule, trace_ids[:20]) == 10
    assert add_traces(rule, trace_ids[20:], day=1) == 10
    assert SampleDay.objects.count() == 2
    assert set(PassedOver.objects.values_list("sample_day__day", flat=True)) == {TODAY + timedelta(days=1)}


def test_it_stores_the_share_that_a_trace_belongs_to(queue: Queue) -> None:
    RuleFactory.create(queue=queue, pairs='[["score","0"]]', percent=50, rest_percent=100, salt="a" * 16)
    create_traces(queue, 20, '{"score":0}')
    create_traces(queue, 3, '{"score":1}')
    with time_machine.travel(clock.now() + LATER):
        apply_rules(queue)
    rows = set(queue.items.values_list("source", "stratum", "inclusion_probability"))
    assert rows == {("rule", Stratum.MATCHES, Decimal("0.5")), ("rule", Stratum.REST, Decimal(1))}


def test_it_takes_no_trace_that_is_in_the_queue(rule: Rule, lead: User) -> None:
    trace: Trace = TraceFactory.create(project=rule.queue.project)
    add(rule.queue, [Entry(trace.trace_id)], lead)
    assert add_traces(rule, [trace.trace_id]) == 0
    assert QueueItem.objects.get().draw is None
