"""Apply rules: which traces they add to their queue, how many, and when."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.queues.adding import Entry, add
from reviewapp.queues.models import Queue, QueueItem, Rule
from reviewapp.queues.removing import remove
from reviewapp.queues.rules import lifecycle, runner
from reviewapp.queues.rules.runner import SETTLE_DELAY, apply_due_rules
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import storing
from tests.factories import ProjectFactory, QueueFactory, RuleFactory, TraceFactory
from tests.threads import run_concurrently
from tests.traces.rows import trace_row

PRODUCTION = '{"environment":"production"}'
LATER = SETTLE_DELAY + timedelta(seconds=1)


@pytest.fixture
def rule(queue: Queue) -> Rule:
    return RuleFactory.create(queue=queue, name="production")


def create_traces(queue: Queue, count: int, metadata: str = PRODUCTION, **fields: Any) -> list[UUID]:
    """Create traces in the mirror and return their ids in the order they arrived."""
    traces = TraceFactory.create_batch(count, project=queue.project, metadata=metadata, **fields)
    return [trace.trace_id for trace in traces]


def apply_rules(queue: Queue) -> set[UUID]:
    """Apply all rules until nothing is left to scan, and return the trace ids in the queue."""
    while apply_due_rules():
        pass
    return set(queue.items.values_list("trace_id", flat=True))


def dump_pairs(*texts: str) -> str:
    return "[" + ",".join('["' + text.replace("=", '","') + '"]' for text in texts) + "]"


def test_it_adds_traces_that_match_all_pairs(queue: Queue) -> None:
    RuleFactory.create(queue=queue, pairs=dump_pairs("environment=production", "score=0"))
    matching = create_traces(queue, 2, '{"environment":"production","score":0}')
    create_traces(queue, 2)
    create_traces(queue, 1, '{"environment":"production","score":0.0}')

    assert apply_rules(queue) == set(matching)


def test_it_stores_the_rule_in_the_item(queue: Queue) -> None:
    rule = RuleFactory.create(
        queue=queue, name="bad production answers", pairs=dump_pairs("environment=production", "score=0"), priority=7
    )
    create_traces(queue, 1, '{"environment":"production","score":0}')
    apply_rules(queue)
    item = queue.items.get()

    assert item.reason == "rule “bad production answers”: environment=production, score=0"
    assert (item.rule, item.priority, item.added_by) == (rule, 7, "rule:bad production answers")
    assert Trace.objects.get().pull_due_at is not None


def test_it_samples_the_same_traces_each_time(queue: Queue) -> None:
    rule = RuleFactory.create(queue=queue, percent=50, salt="a" * 16)
    create_traces(queue, 40)
    first = apply_rules(queue)
    queue.items.all().delete()
    Rule.objects.filter(pk=rule.pk).update(scanned_until=rule.scanned_until, scanned_pk=0)

    assert 8 < len(first) < 32
    assert apply_rules(queue) == first


def test_it_adds_all_matching_traces_and_a_share_of_the_rest(queue: Queue) -> None:
    RuleFactory.create(queue=queue, rest_percent=30, salt="a" * 16)
    matching = create_traces(queue, 5)
    create_traces(queue, 60, '{"environment":"staging"}')
    added = apply_rules(queue)

    assert added > set(matching)
    assert 5 < len(added) - 5 < 35
    assert queue.items.filter(reason__contains="30% of the traces without").count() == len(added) - 5


def test_it_waits_until_a_trace_has_settled(queue: Queue, rule: Rule) -> None:
    create_traces(queue, 1, noted_at=clock.now())

    assert apply_rules(queue) == set()
    with time_machine.travel(clock.now() + LATER):
        assert len(apply_rules(queue)) == 1


def test_it_adds_a_trace_whose_metadata_arrives_late(queue: Queue, rule: Rule) -> None:
    row = trace_row(start_time=clock.now())
    storing.store_changed(queue.project, [row])
    with time_machine.travel(clock.now() + LATER):
        assert apply_rules(queue) == set()
        storing.store_changed(queue.project, [trace_row(row.id, PRODUCTION, start_time=row.start_time)])
    with time_machine.travel(clock.now() + LATER * 2):
        assert apply_rules(queue) == {row.id}


def test_it_adds_a_trace_that_matches_after_our_patch(queue: Queue, rule: Rule) -> None:
    [trace_id] = create_traces(queue, 1, "{}")
    assert apply_rules(queue) == set()
    trace = merge.lock_trace(queue.project, trace_id)
    merge.apply_patch(queue.project, trace, {"environment": "production"})

    with time_machine.travel(clock.now() + LATER):
        assert apply_rules(queue) == {trace_id}


def test_it_ignores_traces_that_started_long_before_it_was_on(queue: Queue) -> None:
    rule = RuleFactory.create(queue=queue, active_since=clock.now())
    recent, old = (clock.now() - Rule.LOOKBACK + timedelta(hours=hours) for hours in (1, -1))
    [recent_id] = create_traces(queue, 1, start_time=recent)
    create_traces(queue, 1, start_time=old)

    assert apply_rules(queue) == {recent_id}
    lifecycle.switch_rule(rule, "lead", is_on=False)
    with time_machine.travel(clock.now() + timedelta(days=3)):
        lifecycle.switch_rule(rule, "lead", is_on=True)
        create_traces(queue, 1, start_time=recent, noted_at=clock.now())
    with time_machine.travel(clock.now() + timedelta(days=3) + LATER):
        assert apply_rules(queue) == {recent_id}


def test_it_scans_each_trace_once(queue: Queue, rule: Rule) -> None:
    create_traces(queue, 3)

    assert [apply_due_rules(), apply_due_rules()] == [3, 0]
    # Storing a row again without changes does not cause another scan.
    row = trace_row(metadata=PRODUCTION, start_time=clock.now())
    storing.store_traces(queue.project, [row])
    with time_machine.travel(clock.now() + LATER):
        assert apply_due_rules() == 1
        storing.store_traces(queue.project, [row])
    with time_machine.travel(clock.now() + LATER * 2):
        assert apply_due_rules() == 0


def test_it_continues_between_traces_of_the_same_time(
    queue: Queue, rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many traces change in the same microsecond when they are stored together."""
    monkeypatch.setattr(runner, "BATCH_SIZE", 2)
    create_traces(queue, 5, noted_at=clock.now() - timedelta(hours=1))

    assert [apply_due_rules() for _ in range(4)] == [2, 2, 1, 0]
    assert queue.items.count() == 5


def test_it_ignores_a_row_whose_trace_has_not_arrived(queue: Queue) -> None:
    RuleFactory.create(queue=queue, rest_percent=100)
    create_traces(queue, 1, "{}", pulled_at=None, start_time=None)

    assert apply_rules(queue) == set()


def test_it_adds_no_traces_of_another_project(queue: Queue, rule: Rule) -> None:
    TraceFactory.create(metadata=PRODUCTION)

    assert apply_rules(queue) == set()


def test_it_does_not_change_existing_items(queue: Queue, rule: Rule) -> None:
    [trace_id] = create_traces(queue, 1)
    add(queue, [Entry(trace_id, reason="a complaint")], "lead")
    apply_rules(queue)
    rule.refresh_from_db()

    assert (queue.items.get().reason, rule.added_count) == ("a complaint", 0)


def test_it_records_the_number_added(queue: Queue, rule: Rule) -> None:
    create_traces(queue, 3)
    apply_rules(queue)
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.detail) == ("rule:production", "added items", '{"count":3}')


class TestCap:
    """The maximum number of traces per day in UTC."""

    def test_it_stops_at_the_cap(self, queue: Queue) -> None:
        rule = RuleFactory.create(queue=queue, daily_cap=2)
        ids = create_traces(queue, 5)

        assert apply_rules(queue) <= set(ids)
        rule.refresh_from_db()
        assert (queue.items.count(), rule.added_count, rule.added_today) == (2, 2, 2)

    def test_it_resets_at_midnight(self, queue: Queue) -> None:
        with time_machine.travel(datetime(2026, 11, 22, 23, 50, tzinfo=UTC), tick=False):
            rule = RuleFactory.create(queue=queue, daily_cap=2)
            create_traces(queue, 3)
            assert len(apply_rules(queue)) == 2
        with time_machine.travel(datetime(2026, 11, 23, 0, 5, tzinfo=UTC), tick=False):
            assert Rule.objects.get(pk=rule.pk).added_today == 0
            # Traces over the cap are not scanned again.
            assert len(apply_rules(queue)) == 2
            create_traces(queue, 3)
            assert len(apply_rules(queue)) == 4
            assert Rule.objects.get(pk=rule.pk).added_today == 2

    def test_it_counts_items_removed_since(self, queue: Queue, lead: User) -> None:
        RuleFactory.create(queue=queue, daily_cap=1)
        create_traces(queue, 1)
        apply_rules(queue)
        remove(queue.items.get(), lead)
        create_traces(queue, 1)

        assert apply_rules(queue) == set()

    def test_it_does_not_count_duplicates(self, queue: Queue) -> None:
        RuleFactory.create(queue=queue, daily_cap=1)
        ids = create_traces(queue, 2)
        add(queue, [Entry(ids[0])], "lead")

        assert apply_rules(queue) == set(ids)


class TestSwitch:
    def test_it_adds_nothing_while_off(self, queue: Queue, rule: Rule, lead: User) -> None:
        lifecycle.switch_rule(rule, lead, is_on=False)
        create_traces(queue, 1)

        assert apply_rules(queue) == set()

    def test_it_adds_only_later_traces_after_turning_on(self, queue: Queue, rule: Rule, lead: User) -> None:
        lifecycle.switch_rule(rule, lead, is_on=False)
        create_traces(queue, 1)
        assert lifecycle.switch_rule(rule, lead, is_on=True)
        assert not lifecycle.switch_rule(rule, lead, is_on=True)
        assert apply_rules(queue) == set()
        [later_id] = create_traces(queue, 1, noted_at=clock.now() + timedelta(seconds=1))

        with time_machine.travel(clock.now() + LATER * 2):
            assert apply_rules(queue) == {later_id}


def test_it_applies_other_rules_when_one_fails(queue: Queue, rule: Rule) -> None:
    broken = RuleFactory.create(queue=queue, pairs="no JSON", scanned_until=rule.scanned_until - timedelta(days=1))
    ids = create_traces(queue, 2)

    assert apply_rules(queue) == set(ids)
    broken.refresh_from_db()
    assert broken.fault == runner.INTERNAL_ERROR
    Rule.objects.filter(pk=broken.pk).update(pairs="[]")
    with time_machine.travel(clock.now() + runner.RETRY_DELAY + timedelta(seconds=1)):
        assert apply_due_rules() == 2
    broken.refresh_from_db()
    assert broken.fault == ""


def test_it_adds_many_traces_in_few_queries(queue: Queue, rule: Rule, django_assert_max_num_queries: Any) -> None:
    create_traces(queue, 40)
    with django_assert_max_num_queries(26):
        apply_due_rules()

    assert queue.items.count() == 40


@pytest.mark.django_db(transaction=True)
def test_it_adds_each_trace_once_with_several_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_SIZE", 10)
    project: Project = ProjectFactory.create()
    queues: Sequence[Queue] = QueueFactory.create_batch(2, project=project)
    for queue in queues:
        RuleFactory.create(queue=queue, daily_cap=35)
    create_traces(queues[0], 50)
    last_pk = Trace.objects.order_by("noted_at", "pk").values_list("pk", flat=True).last()

    def scan_all() -> int:
        scanned = 0
        # A rule locked by another worker is passed over, so 0 does not mean the end: stop when every rule is at it.
        for _ in range(100):
            scanned += apply_due_rules()
            if all(rule.scanned_pk == last_pk for rule in Rule.objects.all()):
                break
        return scanned

    scanned = run_concurrently([scan_all] * 3)

    assert sum(scanned) == 100
    assert [queue.items.count() for queue in queues] == [35, 35]
    assert list(Rule.objects.values_list("added_count", "added_that_day")) == [(35, 35)] * 2


class TestRemoval:
    """Traces that a person removed from a queue."""

    @pytest.fixture
    def trace_id(self, queue: Queue, rule: Rule, lead: User) -> UUID:
        """A trace that the rule added and the lead removed."""
        [trace_id] = create_traces(queue, 1)
        apply_rules(queue)
        assert remove(queue.items.get(), lead)
        return trace_id

    def test_it_is_not_added_again_by_another_rule(self, queue: Queue, trace_id: UUID) -> None:
        RuleFactory.create(queue=queue)

        assert apply_rules(queue) == set()

    def test_it_is_not_added_again_after_a_change(self, queue: Queue, trace_id: UUID) -> None:
        trace = merge.lock_trace(queue.project, trace_id)
        merge.apply_patch(queue.project, trace, {"score": 0})
        with time_machine.travel(clock.now() + LATER):
            assert apply_rules(queue) == set()

    def test_it_is_added_to_another_queue(self, queue: Queue, trace_id: UUID) -> None:
        other = QueueFactory.create(project=queue.project)
        RuleFactory.create(queue=other)

        assert apply_rules(other) == {trace_id}

    def test_it_is_added_again_with_bring_back(self, queue: Queue, trace_id: UUID) -> None:
        result = add(queue, [Entry(trace_id)], "lead", bring_back=True)

        assert (result.added, result.removed, result.brought_back) == (1, 0, 1)
        assert not queue.removals.exists()

    def test_it_is_reported_without_bring_back(self, queue: Queue, trace_id: UUID) -> None:
        result = add(queue, [Entry(trace_id)], "token:ci")

        assert (result.items, result.added, result.duplicates, result.removed) == ([None], 0, 0, 1)


def test_it_keeps_the_items_of_a_deleted_rule(queue: Queue, rule: Rule, lead: User) -> None:
    create_traces(queue, 1)
    apply_rules(queue)
    lifecycle.delete_rule(rule, lead)
    item = QueueItem.objects.get()

    assert (item.rule, item.reason) == (None, "rule “production”: environment=production")
    assert not Rule.objects.exists()
