"""Rules: which traces they take into their queue, how many, and when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.queues.entry import Entry, add
from reviewapp.queues.models import Queue, QueueItem, Rule
from reviewapp.queues.removing import remove
from reviewapp.queues.rules import lifecycle, runner
from reviewapp.queues.rules.runner import SETTLE_DELAY, apply_due_rules
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull
from tests.factories import ProjectFactory, QueueFactory, RuleFactory, TraceFactory
from tests.threads import run_concurrently
from tests.traces.rows import trace_row

PRODUCTION = '{"environment":"production"}'
LATER = SETTLE_DELAY + timedelta(seconds=1)


@pytest.fixture
def rule(queue: Queue) -> Rule:
    return RuleFactory.create(queue=queue, name="production")


def traces(queue: Queue, count: int, text: str = PRODUCTION, **more: Any) -> list[UUID]:
    """The ids of so many traces in the mirror, in the order they came."""
    made = TraceFactory.create_batch(count, project=queue.project, metadata=text, **more)
    return [trace.trace_id for trace in made]


def taken(queue: Queue) -> set[UUID]:
    """What stands in the queue once all rules have looked at all there is."""
    while apply_due_rules():
        pass
    return set(queue.items.values_list("trace_id", flat=True))


def pairs(*texts: str) -> str:
    return "[" + ",".join('["' + text.replace("=", '","') + '"]' for text in texts) + "]"


def test_it_takes_what_holds_all_pairs(queue: Queue) -> None:
    RuleFactory.create(queue=queue, pairs=pairs("environment=production", "score=0"))
    bad = traces(queue, 2, '{"environment":"production","score":0}')
    traces(queue, 2)
    traces(queue, 1, '{"environment":"production","score":0.0}')

    assert taken(queue) == set(bad)


def test_an_item_says_its_rule(queue: Queue) -> None:
    rule = RuleFactory.create(
        queue=queue, name="bad production answers", pairs=pairs("environment=production", "score=0"), priority=7
    )
    traces(queue, 1, '{"environment":"production","score":0}')
    taken(queue)
    item = queue.items.get()

    assert item.reason == "rule “bad production answers”: environment=production, score=0"
    assert (item.rule, item.priority, item.added_by) == (rule, 7, "rule:bad production answers")
    assert Trace.objects.get().pull_due_at is not None


@pytest.mark.parametrize(
    ("said", "is_match", "told"),
    [
        ({"percent": 20}, True, "rule “x”: environment=production; 20 % sample"),
        ({"rest_percent": "2.50"}, False, "rule “x”: 2.5 % of the traces without environment=production"),
        ({"pairs": "[]", "percent": 5}, True, "rule “x”: 5 % of all traces"),
    ],
)
def test_the_reason_tells_the_share(rule: Rule, said: Any, is_match: bool, told: str) -> None:
    Rule.objects.update(name="x", **said)

    assert lifecycle.build_reason(Rule.objects.get(), is_match=is_match) == told


def test_a_long_reason_is_cut(rule: Rule) -> None:
    rule.pairs = pairs("key=" + "v" * 400)
    told = lifecycle.build_reason(rule, is_match=True)

    assert len(told) == 300
    assert told.endswith("vvv…")


def test_it_takes_a_share_the_same_each_time(queue: Queue) -> None:
    rule = RuleFactory.create(queue=queue, percent=50, salt="a" * 16)
    traces(queue, 40)
    first = taken(queue)
    queue.items.all().delete()
    Rule.objects.filter(pk=rule.pk).update(scanned_until=rule.scanned_until, scanned_pk=0)

    assert 8 < len(first) < 32
    assert taken(queue) == first


def test_it_takes_all_of_some_and_a_share_of_the_rest(queue: Queue) -> None:
    RuleFactory.create(queue=queue, rest_percent=30, salt="a" * 16)
    bad = traces(queue, 5)
    traces(queue, 60, '{"environment":"staging"}')
    both = taken(queue)

    assert both > set(bad)
    assert 5 < len(both) - 5 < 35
    assert queue.items.filter(reason__contains="30 % of the traces without").count() == len(both) - 5


def test_it_waits_until_a_trace_has_settled(queue: Queue, rule: Rule) -> None:
    traces(queue, 1, noted_at=clock.now())

    assert taken(queue) == set()
    with time_machine.travel(clock.now() + LATER):
        assert len(taken(queue)) == 1


def test_it_takes_a_trace_whose_metadata_comes_late(queue: Queue, rule: Rule) -> None:
    row = trace_row(start_time=clock.now())
    pull.store_changed(queue.project, [row])
    with time_machine.travel(clock.now() + LATER):
        assert taken(queue) == set()
        pull.store_changed(queue.project, [trace_row(row.id, PRODUCTION, start_time=row.start_time)])
    with time_machine.travel(clock.now() + LATER * 2):
        assert taken(queue) == {row.id}


def test_it_takes_a_trace_that_a_patch_of_ours_brings_in(queue: Queue, rule: Rule) -> None:
    [trace_id] = traces(queue, 1, "{}")
    assert taken(queue) == set()
    held = merge.lock_trace(queue.project, trace_id)
    merge.apply_patch(queue.project, held, {"environment": "production"})

    with time_machine.travel(clock.now() + LATER):
        assert taken(queue) == {trace_id}


def test_it_leaves_what_began_long_before_it_was_on(queue: Queue) -> None:
    rule = RuleFactory.create(queue=queue, active_since=clock.now())
    late, old = (clock.now() - Rule.LOOKBACK + timedelta(hours=hours) for hours in (1, -1))
    [fresh] = traces(queue, 1, start_time=late)
    traces(queue, 1, start_time=old)

    assert taken(queue) == {fresh}
    lifecycle.switch_rule(rule, "lead", is_on=False)
    with time_machine.travel(clock.now() + timedelta(days=3)):
        lifecycle.switch_rule(rule, "lead", is_on=True)
        traces(queue, 1, start_time=late, noted_at=clock.now())
    with time_machine.travel(clock.now() + timedelta(days=3) + LATER):
        assert taken(queue) == {fresh}


def test_it_looks_at_each_trace_once(queue: Queue, rule: Rule) -> None:
    traces(queue, 3)

    assert [apply_due_rules(), apply_due_rules()] == [3, 0]
    # What the mirror holds already changes nothing.
    row = trace_row(metadata=PRODUCTION, start_time=clock.now())
    pull.store_traces(queue.project, [row])
    with time_machine.travel(clock.now() + LATER):
        assert apply_due_rules() == 1
        pull.store_traces(queue.project, [row])
    with time_machine.travel(clock.now() + LATER * 2):
        assert apply_due_rules() == 0


def test_it_goes_on_within_one_moment(queue: Queue, rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many traces change in the same microsecond when they are stored together."""
    monkeypatch.setattr(runner, "BATCH_SIZE", 2)
    traces(queue, 5, noted_at=clock.now() - timedelta(hours=1))

    assert [apply_due_rules() for _ in range(4)] == [2, 2, 1, 0]
    assert queue.items.count() == 5


def test_it_leaves_a_place_until_its_trace_comes(queue: Queue) -> None:
    RuleFactory.create(queue=queue, rest_percent=100)
    traces(queue, 1, "{}", pulled_at=None, start_time=None)

    assert taken(queue) == set()


def test_it_takes_nothing_of_another_project(queue: Queue, rule: Rule) -> None:
    TraceFactory.create(metadata=PRODUCTION)

    assert taken(queue) == set()


def test_it_leaves_what_stands_in_the_queue(queue: Queue, rule: Rule) -> None:
    [trace_id] = traces(queue, 1)
    add(queue, [Entry(trace_id, reason="a complaint")], "lead")
    taken(queue)
    rule.refresh_from_db()

    assert (queue.items.get().reason, rule.added_count) == ("a complaint", 0)


def test_it_records_what_it_took(queue: Queue, rule: Rule) -> None:
    traces(queue, 3)
    taken(queue)
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.detail) == ("rule:production", "added items", '{"count":3}')


class TestCap:
    """No more than so many a day, by the calendar of UTC."""

    def test_it_stops_there(self, queue: Queue) -> None:
        rule = RuleFactory.create(queue=queue, daily_cap=2)
        ids = traces(queue, 5)

        assert taken(queue) <= set(ids)
        rule.refresh_from_db()
        assert (queue.items.count(), rule.added_count, rule.added_today) == (2, 2, 2)

    def test_it_begins_anew_at_midnight(self, queue: Queue) -> None:
        with time_machine.travel(datetime(2026, 11, 22, 23, 50, tzinfo=UTC), tick=False):
            rule = RuleFactory.create(queue=queue, daily_cap=2)
            traces(queue, 3)
            assert len(taken(queue)) == 2
        with time_machine.travel(datetime(2026, 11, 23, 0, 5, tzinfo=UTC), tick=False):
            assert Rule.objects.get(pk=rule.pk).added_today == 0
            # Those that were over the cap do not come up again.
            assert len(taken(queue)) == 2
            traces(queue, 3)
            assert len(taken(queue)) == 4
            assert Rule.objects.get(pk=rule.pk).added_today == 2

    def test_it_counts_what_was_removed_since(self, queue: Queue, lead: User) -> None:
        RuleFactory.create(queue=queue, daily_cap=1)
        traces(queue, 1)
        taken(queue)
        remove(queue.items.get(), lead)
        traces(queue, 1)

        assert taken(queue) == set()

    def test_what_stands_here_already_does_not_count(self, queue: Queue) -> None:
        RuleFactory.create(queue=queue, daily_cap=1)
        ids = traces(queue, 2)
        add(queue, [Entry(ids[0])], "lead")

        assert taken(queue) == set(ids)


class TestSwitch:
    def test_it_takes_nothing_while_off(self, queue: Queue, rule: Rule, lead: User) -> None:
        lifecycle.switch_rule(rule, lead, is_on=False)
        traces(queue, 1)

        assert taken(queue) == set()

    def test_it_goes_on_from_now(self, queue: Queue, rule: Rule, lead: User) -> None:
        lifecycle.switch_rule(rule, lead, is_on=False)
        traces(queue, 1)
        assert lifecycle.switch_rule(rule, lead, is_on=True)
        assert not lifecycle.switch_rule(rule, lead, is_on=True)
        assert taken(queue) == set()
        [later] = traces(queue, 1, noted_at=clock.now() + timedelta(seconds=1))

        with time_machine.travel(clock.now() + LATER * 2):
            assert taken(queue) == {later}


def test_one_that_fails_stops_no_other(queue: Queue, rule: Rule) -> None:
    broken = RuleFactory.create(queue=queue, pairs="no JSON", scanned_until=rule.scanned_until - timedelta(days=1))
    ids = traces(queue, 2)

    assert taken(queue) == set(ids)
    broken.refresh_from_db()
    assert "It is tried again." in broken.fault
    Rule.objects.filter(pk=broken.pk).update(pairs="[]")
    with time_machine.travel(clock.now() + runner.RETRY_DELAY + timedelta(seconds=1)):
        assert apply_due_rules() == 2
    broken.refresh_from_db()
    assert broken.fault == ""


def test_it_applies_many_in_few_queries(queue: Queue, rule: Rule, django_assert_max_num_queries: Any) -> None:
    traces(queue, 40)
    with django_assert_max_num_queries(26):
        apply_due_rules()

    assert queue.items.count() == 40


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_each_trace_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_SIZE", 10)
    project: Project = ProjectFactory.create()
    queues: Sequence[Queue] = QueueFactory.create_batch(2, project=project)
    for each in queues:
        RuleFactory.create(queue=each, daily_cap=35)
    traces(queues[0], 50)

    def all_of_it() -> int:
        looked = 0
        # A rule that another worker applies is passed over, so none is no end until all have looked at all.
        for _ in range(100):
            looked += apply_due_rules()
            if all(rule.scanned_pk == last for rule in Rule.objects.all()):
                break
        return looked

    last = Trace.objects.order_by("noted_at", "pk").values_list("pk", flat=True).last()
    looked = run_concurrently([all_of_it] * 3)

    assert sum(looked) == 100
    assert [each.items.count() for each in queues] == [35, 35]
    assert list(Rule.objects.values_list("added_count", "added_that_day")) == [(35, 35)] * 2


class TestRemoval:
    """What a person took out of a queue."""

    @pytest.fixture
    def trace_id(self, queue: Queue, rule: Rule, lead: User) -> UUID:
        """A trace that the rule took and the lead removed."""
        [trace_id] = traces(queue, 1)
        taken(queue)
        assert remove(queue.items.get(), lead)
        return trace_id

    def test_no_rule_brings_it_back(self, queue: Queue, trace_id: UUID) -> None:
        RuleFactory.create(queue=queue)

        assert taken(queue) == set()

    def test_a_change_does_not_bring_it_back(self, queue: Queue, trace_id: UUID) -> None:
        held = merge.lock_trace(queue.project, trace_id)
        merge.apply_patch(queue.project, held, {"score": 0})
        with time_machine.travel(clock.now() + LATER):
            assert taken(queue) == set()

    def test_it_is_free_for_another_queue(self, queue: Queue, trace_id: UUID) -> None:
        other = QueueFactory.create(project=queue.project)
        RuleFactory.create(queue=other)

        assert taken(other) == {trace_id}

    def test_who_asks_for_it_brings_it_back(self, queue: Queue, trace_id: UUID) -> None:
        added = add(queue, [Entry(trace_id)], "lead", bring_back=True)

        assert (added.added, added.removed, added.brought_back) == (1, 0, 1)
        assert not queue.removals.exists()

    def test_who_does_not_ask_is_told(self, queue: Queue, trace_id: UUID) -> None:
        added = add(queue, [Entry(trace_id)], "token:ci")

        assert (added.items, added.added, added.duplicates, added.removed) == ([None], 0, 0, 1)


def test_deleting_a_rule_keeps_its_items(queue: Queue, rule: Rule, lead: User) -> None:
    traces(queue, 1)
    taken(queue)
    lifecycle.delete_rule(rule, lead)
    item = QueueItem.objects.get()

    assert (item.rule, item.reason) == (None, "rule “production”: environment=production")
    assert not Rule.objects.exists()
