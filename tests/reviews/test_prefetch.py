"""Prefetched items: listed and shown without a claim, claimed when the reviewer gets to them."""

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.factories import QueueItemFactory
from tests.queries import count_queries

HTMX = {"HX-Request": "true"}
FORM_DATA = {"score": "1", "version": "0"}


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return QueueItemFactory.create_batch(4, queue=queue)


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def list_upcoming(client: Client, after: int | str) -> list[str]:
    urls: list[str] = client.get(f"/p/support/queues/answers/upcoming/?after={after}").json()
    return urls


def test_it_lists_the_next_two(reviewer_client: Client, items: list[QueueItem]) -> None:
    assert list_upcoming(reviewer_client, items[0].pk) == [url(items[1]), url(items[2])]
    assert not QueueItem.objects.exclude(claimed_by=None).exists()


def test_it_lists_no_item_that_a_colleague_has_claimed(
    reviewer_client: Client, colleague: User, items: list[QueueItem]
) -> None:
    claiming.claim(items[1], colleague)
    QueueItem.objects.filter(pk=items[2].pk).update(state=ItemState.COMPLETED)
    assert list_upcoming(reviewer_client, items[0].pk) == [url(items[3])]


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 30])
def test_it_lists_from_the_start_when_after_is_malformed(
    reviewer_client: Client, items: list[QueueItem], after: str
) -> None:
    assert list_upcoming(reviewer_client, after) == [url(items[0]), url(items[1])]


def test_it_lists_items_in_one_query(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    assert count_queries(lambda: claiming.list_upcoming(queue, reviewer, items[0].pk, 2)) == 1


def test_it_shows_a_prefetched_item_without_a_claim(reviewer_client: Client, items: list[QueueItem]) -> None:
    page = reviewer_client.get(url(items[1]), headers={**HTMX, "Desk-Prefetch": "1"})
    assert f'data-item="{items[1].pk}"' in page.text
    assert not QueueItem.objects.exclude(claimed_by=None).exists()


def test_it_claims_the_prefetched_item_when_the_reviewer_gets_to_it(
    reviewer_client: Client, reviewer: User, items: list[QueueItem]
) -> None:
    response = reviewer_client.post(url(items[0]), FORM_DATA, headers={**HTMX, "Desk-Next": str(items[2].pk)})
    items[2].refresh_from_db()
    assert response["Desk-Claimed"] == str(items[2].pk)
    assert items[2].claimed_by == reviewer
    assert 'hx-swap-oob="true"' in response.text
    assert "1 reviewed" in response.text


def test_it_shows_another_item_when_a_colleague_has_the_prefetched_one(
    reviewer_client: Client, colleague: User, items: list[QueueItem]
) -> None:
    claiming.claim(items[1], colleague)
    response = reviewer_client.post(url(items[0]), FORM_DATA, headers={**HTMX, "Desk-Next": str(items[1].pk)})
    assert "Desk-Claimed" not in response
    assert f'data-item="{items[2].pk}"' in response.text


@pytest.mark.parametrize("state", [ItemState.COMPLETED, ItemState.SKIPPED])
def test_it_refuses_to_claim_an_item_that_is_not_pending(
    queue: Queue, items: list[QueueItem], reviewer: User, state: str
) -> None:
    QueueItem.objects.filter(pk=items[1].pk).update(state=state)
    assert not claiming.claim_by_pk(queue, reviewer, items[1].pk, after=items[0])


def test_it_refuses_to_claim_an_item_of_another_queue(queue: Queue, items: list[QueueItem], reviewer: User) -> None:
    other = QueueItemFactory.create(queue__project=queue.project)
    assert not claiming.claim_by_pk(queue, reviewer, other.pk, after=items[0])


def test_it_claims_nothing_when_the_reviewer_went_elsewhere(reviewer_client: Client, items: list[QueueItem]) -> None:
    response = reviewer_client.post(url(items[0]), FORM_DATA, headers={**HTMX, "Desk-Next": "0"})
    assert (response.status_code, Review.objects.count()) == (204, 1)
    assert not QueueItem.objects.exclude(claimed_by=None).exists()
