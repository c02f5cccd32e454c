"""Skipping: for whom an item is left, and who is offered it then."""

from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.queues import claiming, skipping
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from tests.factories import QueueItemFactory


def test_it_comes_again_after_all_others(queue: Queue, reviewer: User) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    skipping.skip(first, reviewer, "later")
    assert claiming.claim_next(queue, reviewer, after=first) == second.pk
    claiming.complete(second, 0)
    assert claiming.claim_next(queue, reviewer, after=second) == first.pk


def test_it_goes_to_somebody_else_and_not_to_me(item: QueueItem, reviewer: User, colleague: User) -> None:
    skipping.skip(item, reviewer, "other", "not my language")
    assert claiming.claim_next(item.queue, reviewer) is None
    assert claiming.claim_next(item.queue, colleague) == item.pk


def test_it_leaves_the_queue(item: QueueItem, reviewer: User, colleague: User) -> None:
    skipping.skip(item, reviewer, "nobody", "empty trace")
    assert QueueItem.objects.get().state == ItemState.SKIPPED
    assert claiming.claim_next(item.queue, colleague) is None


def test_it_keeps_the_newest_reason(item: QueueItem, reviewer: User) -> None:
    skipping.skip(item, reviewer, "later", "tired")
    skipping.skip(item, reviewer, "other", "not my field")
    assert Skip.objects.get().reason == "not my field"
    assert AuditEvent.objects.latest("seq").detail == '{"reason":"not my field","whom":"for somebody else"}'


def test_it_refuses_an_item_that_a_colleague_holds(item: QueueItem, reviewer: User, colleague: User) -> None:
    claiming.claim(item, colleague)
    assert not skipping.skip(item, reviewer, "later")
    assert not Skip.objects.exists()


def test_the_form_leads_to_the_next_item(reviewer_client: Client, queue: Queue) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    answer = reviewer_client.post(f"/p/support/items/{first.pk}/skip/", {"for": "later"})
    assert answer["Location"].startswith(f"/p/support/items/{second.pk}/")


def test_the_form_says_why_nothing_was_skipped(lead_client: Client, item: QueueItem, colleague: User) -> None:
    claiming.claim(item, colleague)
    where = f"/p/support/items/{item.pk}/"
    assert "skip-menu" not in lead_client.get(where).content.decode()
    answer = lead_client.post(f"{where}skip/", {"for": "later"}, follow=True)
    assert "The item was not skipped: a colleague has it" in answer.content.decode()


def test_the_form_refuses_other_words(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(f"/p/support/items/{item.pk}/skip/", {"for": "ever"}, follow=True)
    assert "Nothing was skipped" in answer.content.decode()
    assert QueueItem.objects.get().state == ItemState.PENDING
