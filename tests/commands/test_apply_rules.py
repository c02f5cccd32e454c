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
    assert run_command("apply_rules") == "Rules looked at 2 traces."
    assert QueueItem.objects.count() == 2


def test_it_applies_those_of_one_project(queue: Queue) -> None:
    run_command("apply_rules", "--project=support")

    assert QueueItem.objects.get().queue == queue


def test_it_tells_what_they_would_take() -> None:
    said = run_command("apply_rules", "--dry-run", "--project=support")

    assert said == "production (answers): 1 of the last 7 days; 1 hold its pairs."
    assert not QueueItem.objects.exists()
