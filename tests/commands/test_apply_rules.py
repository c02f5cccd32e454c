"""`manage.py apply_rules`."""

import pytest

from reviewapp.queues.models import Queue, QueueItem
from tests.commands.runner import run_command
from tests.factories import RuleFactory, TraceFactory


@pytest.fixture(autouse=True)
def rules(queue: Queue) -> None:
    for project in (queue.project, None):
        rule = RuleFactory.create(name="production", **({"queue": queue} if project else {}))
        TraceFactory.create(project=rule.queue.project, metadata='{"environment":"production"}')


def test_it_applies_all_rules() -> None:
    assert run_command("apply_rules") == "Applied rules to 2 traces."
    assert QueueItem.objects.count() == 2


def test_it_applies_the_rules_of_one_project(queue: Queue) -> None:
    run_command("apply_rules", "--project=support")

    assert QueueItem.objects.get().queue == queue


def test_it_prints_what_the_rules_would_add() -> None:
    output = run_command("apply_rules", "--dry-run", "--project=support")

    assert output == "production (answers): would have added 1 trace in the last 7 days; 1 matched."
    assert not QueueItem.objects.exists()
