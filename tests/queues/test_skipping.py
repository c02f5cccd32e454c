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


def test_it_shows_the_reason_to_the_next_reviewer_alone(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.post(f"{url}skip/", {"for": "other", "why": "Outside my field", "reason": "tax law <b>"})
    sentence = "reviewer skipped this item: “Outside my field: tax law &lt;b&gt;”."

    assert sentence in colleague_client.get(url).text
    assert sentence not in reviewer_client.get(url).text


def test_it_forgets_the_reason_of_an_undone_skip(item: QueueItem, reviewer: User) -> None:
    skipping.skip(item, reviewer, "other", "not my field")
    item.refresh_from_db()
    assert (item.skipped_by, item.skip_reason) == ("reviewer", "not my field")
    skipping.undo_skip(item, reviewer)
    item.refresh_from_db()
    assert (item.skipped_by, item.skip_reason) == ("", "")


def test_it_refuses_two_preset_reasons(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(f"/p/support/items/{item.pk}/skip/", {"for": "later", "why": ["a", "b"]})
    assert "sent twice" in response.context["skip_error"]


def test_it_puts_all_skipped_items_back_for_everyone(lead_client: Client, queue: Queue, reviewer: User) -> None:
    first, second, done = QueueItemFactory.create_batch(3, queue=queue)
    for item in (first, second):
        skipping.skip(item, reviewer, "nobody", "empty")
    claiming.complete(done, 0)
    page = lead_client.get("/p/support/queues/answers/?state=skipped").text
    lead_client.post("/p/support/queues/answers/put-back/", {"all": "true"})

    assert "skipped by reviewer: empty" in page
    assert "Put back all 2 skipped items" in page
    assert sorted(QueueItem.objects.values_list("pk", "state")) == [
        (first.pk, "pending"), (second.pk, "pending"), (done.pk, "completed"),
    ]  # fmt: skip
    assert claiming.claim_next(queue, reviewer) == first.pk


def test_it_puts_back_only_the_skipped_items_of_this_queue(lead_client: Client, queue: Queue, reviewer: User) -> None:
    chosen, left = QueueItemFactory.create_batch(2, queue=queue)
    other = QueueItemFactory.create(queue__project=queue.project, queue__slug="other")
    for item in (chosen, left, other):
        skipping.skip(item, reviewer, "nobody")
    url = "/p/support/queues/answers/put-back/"
    page = lead_client.post(url, {"item": [str(chosen.pk), str(other.pk), "x", "9" * 400]}, follow=True).text
    assert f"Left out, because not in this queue: “{other.pk}”, “x”, “{'9' * 39}…”." in page

    assert list(QueueItem.objects.filter(state="pending")) == [chosen]
    assert "none of them is skipped" in lead_client.post(url, follow=True).text


def test_it_lets_no_reviewer_put_items_back(reviewer_client: Client, queue: Queue) -> None:
    assert reviewer_client.post("/p/support/queues/answers/put-back/", {"all": "true"}).status_code == 403
