"""Actions on an item: claim, wait, take over, stay, answer as unsure, list one's reviews."""

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.queues import claiming, skipping
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.factories import QueueItemFactory


def url(item: QueueItem, action: str = "") -> str:
    return f"/p/support/items/{item.pk}/{action}"


def test_it_renews_a_claim(reviewer_client: Client, item: QueueItem) -> None:
    headers = {"HX-Request": "true"}
    reviewer_client.post(url(item, "claim/"), headers=headers)
    QueueItem.objects.update(claimed_until="2020-01-01T00:00Z")
    assert reviewer_client.post(url(item, "claim/"), headers=headers).status_code == 204
    assert QueueItem.objects.get().is_claimed


def test_it_claims_nothing_by_get(reviewer_client: Client, item: QueueItem) -> None:
    opened = reviewer_client.get("/p/support/queues/answers/review/", follow=True)
    assert opened.redirect_chain == [(url(item), 302)]
    assert "data-unclaimed" in opened.text
    assert QueueItem.objects.get().claimed_by is None


def test_it_claims_by_a_button_without_javascript(reviewer_client: Client, reviewer: User, item: QueueItem) -> None:
    assert '<noscript><button class="button" form="claim">Start review' in reviewer_client.get(url(item)).text
    page = reviewer_client.post(url(item, "claim/"), follow=True).text
    assert QueueItem.objects.get().claimed_by == reviewer
    assert "data-unclaimed" not in page


def test_it_refuses_to_claim_without_the_token_of_the_page(reviewer: User, item: QueueItem) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(reviewer)
    assert client.post(url(item, "claim/")).status_code == 403
    assert QueueItem.objects.get().claimed_by is None


def test_it_offers_another_item_when_a_colleague_was_faster(
    reviewer_client: Client, item: QueueItem, colleague: User
) -> None:
    claiming.claim(item, colleague)
    page = reviewer_client.post(url(item, "claim/"), follow=True).text
    assert "A colleague opened this item before you." in page
    assert 'href="/p/support/queues/answers/review/"' in page


def test_it_offers_one_item_again_until_it_is_claimed(queue: Queue, reviewer: User, colleague: User) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    assert (claiming.find_next(queue, reviewer), claiming.find_next(queue, colleague)) == (first.pk, first.pk)
    claiming.claim(first, reviewer)
    assert (claiming.find_next(queue, reviewer), claiming.find_next(queue, colleague)) == (first.pk, second.pk)


def test_it_offers_a_postponed_item_last(queue: Queue, reviewer: User) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    skipping.skip(first, reviewer, "later")
    assert claiming.find_next(queue, reviewer) == second.pk
    skipping.skip(second, reviewer, "nobody")
    assert claiming.find_next(queue, reviewer) == first.pk


def test_it_refuses_a_claim_when_a_colleague_has_the_item(
    reviewer_client: Client, item: QueueItem, colleague: User
) -> None:
    claiming.claim(item, colleague)
    response = reviewer_client.post(url(item, "claim/"), headers={"HX-Request": "true"})
    assert response.status_code == 409
    assert "colleague is reviewing this item now" in response.text


def test_it_waits_while_a_colleague_has_the_item(reviewer_client: Client, item: QueueItem, colleague: User) -> None:
    claiming.claim(item, colleague)
    assert reviewer_client.post(url(item, "wait/")).status_code == 204
    assert QueueItem.objects.get().claimed_by == colleague


def test_it_opens_the_form_when_a_colleague_has_released_the_item(
    reviewer_client: Client, reviewer: User, item: QueueItem, colleague: User
) -> None:
    claiming.claim(item, colleague)
    claiming.release(item, colleague)
    assert '<div class="fields">' in reviewer_client.post(url(item, "wait/")).text
    assert QueueItem.objects.get().claimed_by == reviewer


def test_it_shows_the_review_when_a_colleague_has_submitted_it(
    reviewer_client: Client, item: QueueItem, colleague_client: Client
) -> None:
    colleague_client.post(url(item), {"version": "0", "score": "1", "notes": "All of it is right."})
    assert "All of it is right." in reviewer_client.post(url(item, "wait/")).text


def test_it_disables_the_form_when_a_colleague_has_the_item(
    reviewer_client: Client, item: QueueItem, colleague: User
) -> None:
    claiming.claim(item, colleague)
    assert '<div class="fields" inert>' in reviewer_client.get(url(item)).text


def test_it_lets_a_lead_take_over_the_item(lead_client: Client, lead: User, item: QueueItem, colleague: User) -> None:
    claiming.claim(item, colleague)
    assert 'form="take-over"' in lead_client.get(url(item)).text
    lead_client.post(url(item, "take-over/"))
    assert QueueItem.objects.get().claimed_by == lead


def test_it_refuses_to_let_a_reviewer_take_over(reviewer_client: Client, item: QueueItem) -> None:
    assert reviewer_client.post(url(item, "take-over/")).status_code == 403


def test_it_stays_at_the_item_and_remembers_the_choice(reviewer_client: Client, queue: Queue) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    response = reviewer_client.post(url(first), {"score": "1", "version": "0", "stay": "true"})
    assert response["Location"] == url(first)
    assert 'name="stay" value="true" checked' in reviewer_client.get(url(second)).text
    reviewer_client.post(url(second), {"score": "1", "version": "0"})
    assert 'name="stay" value="true" checked' not in reviewer_client.get(url(second)).text


def test_it_gives_an_unsure_item_to_a_second_person(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    reviewer_client.post(url(item), {"unsure": "true", "notes": "hm", "version": "0"})
    assert QueueItem.objects.get().state == ItemState.PENDING
    assert not Patch.objects.exists()
    assert reviewer_client.get("/p/support/queues/answers/review/")["Location"].endswith("/end/")
    assert colleague_client.get("/p/support/queues/answers/review/")["Location"] == url(item)


def test_it_refuses_unsure_with_a_score(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(url(item), {"unsure": "true", "score": "1", "version": "0"})
    assert response.status_code == 422
    assert "score" in response.context["workbench"].form.errors
    assert "You cannot give a score and be unsure" in response.text


def test_it_lists_only_ones_own_reviews(reviewer_client: Client, colleague_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "0.5", "notes": "mine alone", "version": "0"})
    path = "/p/support/queues/answers/mine/"
    assert "mine alone" in reviewer_client.get(path).text
    assert "mine alone" not in colleague_client.get(path).text
    assert Review.objects.count() == 1


@pytest.mark.parametrize(
    ("reasons", "error"), [(["r" * 301], "301 characters"), (["a\0b"], "cannot be stored"), (["a", "b"], "sent twice")]
)
def test_it_refuses_a_reason_for_skipping_and_keeps_it(
    reviewer_client: Client, item: QueueItem, reasons: list[str], error: str
) -> None:
    response = reviewer_client.post(url(item, "skip/"), {"for": "later", "reason": reasons})
    assert response.status_code == 422
    assert error in response.context["skip_error"]
    assert response.context["skip_reason"] == reasons[-1]
    assert not item.skips.exists()
