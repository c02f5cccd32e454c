"""Items fetched ahead: told without a claim, shown without one, and claimed when they are come to."""

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.factories import QueueItemFactory
from tests.queries import count_queries

HTMX = {"HX-Request": "true"}
ANSWER = {"score": "1", "version": "0"}


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return QueueItemFactory.create_batch(4, queue=queue)


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def upcoming(client: Client, after: int | str) -> list[str]:
    answer = client.get(f"/p/support/queues/answers/upcoming/?after={after}")
    told: list[str] = answer.json()
    return told


def test_it_tells_the_next_two(reviewer_client: Client, items: list[QueueItem]) -> None:
    assert upcoming(reviewer_client, items[0].pk) == [url(items[1]), url(items[2])]
    assert not QueueItem.objects.exclude(claimed_by=None).exists()


def test_it_tells_none_that_a_colleague_holds(reviewer_client: Client, colleague: User, items: list[QueueItem]) -> None:
    claiming.claim(items[1], colleague)
    QueueItem.objects.filter(pk=items[2].pk).update(state=ItemState.COMPLETED)
    assert upcoming(reviewer_client, items[0].pk) == [url(items[3])]


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 30])
def test_it_takes_nonsense_for_no_item(reviewer_client: Client, items: list[QueueItem], after: str) -> None:
    assert upcoming(reviewer_client, after) == [url(items[0]), url(items[1])]


def test_it_tells_what_comes_in_one_statement(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    assert count_queries(lambda: claiming.list_upcoming(queue, reviewer, items[0].pk, 2)) == 1


def test_it_shows_an_item_ahead_without_a_claim(reviewer_client: Client, items: list[QueueItem]) -> None:
    page = reviewer_client.get(url(items[1]), headers={**HTMX, "Desk-Prefetch": "1"})
    assert f'data-item="{items[1].pk}"' in page.content.decode()
    assert not QueueItem.objects.exclude(claimed_by=None).exists()


def test_it_claims_the_item_that_was_fetched(reviewer_client: Client, reviewer: User, items: list[QueueItem]) -> None:
    answer = reviewer_client.post(url(items[0]), ANSWER, headers={**HTMX, "Desk-Next": str(items[2].pk)})
    items[2].refresh_from_db()
    assert answer["Desk-Claimed"] == str(items[2].pk)
    assert items[2].claimed_by == reviewer
    assert 'hx-swap-oob="true"' in answer.content.decode()
    assert "1 reviewed" in answer.content.decode()


def test_it_gives_another_when_a_colleague_took_it(
    reviewer_client: Client, colleague: User, items: list[QueueItem]
) -> None:
    claiming.claim(items[1], colleague)
    answer = reviewer_client.post(url(items[0]), ANSWER, headers={**HTMX, "Desk-Next": str(items[1].pk)})
    assert "Desk-Claimed" not in answer
    assert f'data-item="{items[2].pk}"' in answer.content.decode()


@pytest.mark.parametrize("state", [ItemState.COMPLETED, ItemState.SKIPPED])
def test_it_claims_none_that_needs_nobody(queue: Queue, items: list[QueueItem], reviewer: User, state: str) -> None:
    QueueItem.objects.filter(pk=items[1].pk).update(state=state)
    assert not claiming.claim_by_pk(queue, reviewer, items[1].pk, after=items[0])


def test_it_claims_none_of_another_queue(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    other = QueueItemFactory.create(queue__project=queue.project)
    assert not claiming.claim_by_pk(queue, reviewer, other.pk, after=items[0])


def test_it_claims_nothing_for_who_has_gone_elsewhere(reviewer_client: Client, items: list[QueueItem]) -> None:
    answer = reviewer_client.post(url(items[0]), ANSWER, headers={**HTMX, "Desk-Next": "0"})
    assert (answer.status_code, Review.objects.count()) == (204, 1)
    assert not QueueItem.objects.exclude(claimed_by=None).exists()
