"""Skip an item: who gets it afterwards, and the form."""

from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.queues import claiming, skipping
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from tests.factories import QueueItemFactory


def test_it_offers_a_postponed_item_after_all_others(queue: Queue, reviewer: User) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    skipping.skip(first, reviewer, "later")
    assert claiming.claim_next(queue, reviewer, after=first) == second.pk
    claiming.complete(second, 0)
    assert claiming.claim_next(queue, reviewer, after=second) == first.pk


def test_it_offers_an_item_left_to_others_to_others_only(item: QueueItem, reviewer: User, colleague: User) -> None:
    skipping.skip(item, reviewer, "other", "not my language")
    assert claiming.claim_next(item.queue, reviewer) is None
    assert claiming.claim_next(item.queue, colleague) == item.pk


def test_it_offers_a_skipped_item_to_nobody(item: QueueItem, reviewer: User, colleague: User) -> None:
    skipping.skip(item, reviewer, "nobody", "empty trace")
    assert QueueItem.objects.get().state == ItemState.SKIPPED
    assert claiming.claim_next(item.queue, colleague) is None


def test_it_keeps_the_newest_reason(item: QueueItem, reviewer: User) -> None:
    skipping.skip(item, reviewer, "later", "tired")
    skipping.skip(item, reviewer, "other", "not my field")
    assert Skip.objects.get().reason == "not my field"
    assert AuditEvent.objects.latest("seq").detail == '{"reason":"not my field","whom":"for someone else"}'


def test_it_refuses_an_item_claimed_by_a_colleague(item: QueueItem, reviewer: User, colleague: User) -> None:
    claiming.claim(item, colleague)
    assert not skipping.skip(item, reviewer, "later")
    assert not Skip.objects.exists()


def test_it_redirects_to_the_next_item(reviewer_client: Client, queue: Queue) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    response = reviewer_client.post(f"/p/support/items/{first.pk}/skip/", {"for": "later"})
    assert response["Location"].startswith(f"/p/support/items/{second.pk}/")


def test_it_explains_why_nothing_was_skipped(lead_client: Client, item: QueueItem, colleague: User) -> None:
    claiming.claim(item, colleague)
    url = f"/p/support/items/{item.pk}/"
    assert "skip-menu" not in lead_client.get(url).text
    response = lead_client.post(f"{url}skip/", {"for": "later"}, follow=True)
    assert "The item was not skipped: a colleague has it" in response.text


def test_it_refuses_an_unknown_target(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"/p/support/items/{item.pk}/skip/", {"for": "ever"}, follow=True)
    assert "Nothing was skipped" in response.text
    assert QueueItem.objects.get().state == ItemState.PENDING
