"""The rail: the whole queue in proportion, positions, and the statuses that concern the person."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.lib import clock
from reviewapp.queues import skipping
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews import rail
from tests.factories import QueueItemFactory


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def test_it_tells_later_and_left_from_to_come(queue: Queue, reviewer: User) -> None:
    items = QueueItemFactory.create_batch(3, queue=queue)
    skipping.skip(items[0], reviewer, "later")
    skipping.skip(items[1], reviewer, "other")
    opened = rail.open_rail(items[2], reviewer, 3)

    assert [segment.status for segment in opened.segments] == ["later", "left", "to-come"]
    assert opened.later_count == 1


@pytest.mark.parametrize("count", [40, 100, 300])
def test_it_shows_every_item_in_proportion_at_any_length(queue: Queue, reviewer: User, count: int) -> None:
    items = QueueItemFactory.create_batch(count, queue=queue)
    half = [item.pk for item in items[: count // 2]]
    QueueItem.objects.filter(pk__in=half).update(state=ItemState.COMPLETED)
    opened = rail.open_rail(items[count * 3 // 4], reviewer, count)

    assert sum(map(Counter.total, opened.columns)) == count
    assert sum(column["reviewed"] for column in opened.columns[: len(opened.columns) // 2]) == count // 2
    assert (opened.position, opened.has_links) == (count * 3 // 4 + 1, count == 40)
    assert opened.previous is not None
    assert opened.previous.pk == items[count * 3 // 4 - 1].pk


def test_it_samples_a_very_long_queue(queue: Queue, reviewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rail, "MAX_EXACT", 10)
    monkeypatch.setattr(rail, "MAX_SAMPLE", 50)
    items = QueueItemFactory.create_batch(120, queue=queue)
    opened = rail.open_rail(items[60], reviewer, 120)

    assert sum(map(Counter.total, opened.columns)) == 40
    assert opened.position == 61


def test_it_says_the_position_that_it_shows(reviewer_client: Client, queue: Queue) -> None:
    items = QueueItemFactory.create_batch(5, queue=queue)
    page = reviewer_client.get(f"/p/support/items/{items[3].pk}/").text

    assert "Item 4 of 5" in page
    assert f'href="/p/support/items/{items[3].pk}/" aria-current="true" tabindex="-1" title="item 4: to come"' in page


@pytest.mark.parametrize(("position", "index"), [("2", 1), ("9", 2), ("0", 0), ("x", 0), ("9" * 30, 0)])
def test_it_goes_to_the_item_at_a_position(reviewer_client: Client, queue: Queue, position: str, index: int) -> None:
    items = QueueItemFactory.create_batch(3, queue=queue)
    response: Any = reviewer_client.get(f"/p/support/queues/answers/at/?position={position}")
    assert response["Location"] == f"/p/support/items/{items[index].pk}/"


def test_it_goes_to_the_end_of_an_empty_queue(reviewer_client: Client, queue: Queue) -> None:
    response: Any = reviewer_client.get("/p/support/queues/answers/at/?position=1")
    assert response["Location"] == "/p/support/queues/answers/end/"


@pytest.mark.parametrize(("days", "text"), [(2, "due in 2 days"), (-3, "3 days late")])
def test_it_says_when_the_item_is_due(reviewer_client: Client, item: QueueItem, days: int, text: str) -> None:
    QueueItem.objects.update(due_at=clock.now() + timedelta(days=days))
    assert f"<span>{text}</span>" in reviewer_client.get(f"/p/support/items/{item.pk}/").text


def test_it_says_nothing_of_a_due_date_that_is_met(reviewer_client: Client, item: QueueItem) -> None:
    QueueItem.objects.update(due_at=clock.now() - timedelta(days=3), state=ItemState.COMPLETED)
    assert "days late" not in reviewer_client.get(f"/p/support/items/{item.pk}/").text
