"""What else one does at an item: keep it, take it over, stay, be unsure, look back."""

from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews.models import Review
from tests.factories import QueueItemFactory


def url(item: QueueItem, act: str = "") -> str:
    return f"/p/support/items/{item.pk}/{act}"


def test_it_renews_a_claim(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.get(url(item))
    QueueItem.objects.update(claimed_until="2020-01-01T00:00Z")
    assert reviewer_client.post(url(item, "claim/")).status_code == 204
    assert QueueItem.objects.get().is_claimed


def test_it_shows_who_has_it_instead(reviewer_client: Client, item: QueueItem, colleague: User) -> None:
    claiming.claim(item, colleague)
    answer = reviewer_client.post(url(item, "claim/"), headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "colleague is reviewing this item now" in answer.content.decode()


def test_it_waits_while_a_colleague_has_it(reviewer_client: Client, item: QueueItem, colleague: User) -> None:
    claiming.claim(item, colleague)
    assert reviewer_client.post(url(item, "wait/")).status_code == 204
    assert QueueItem.objects.get().claimed_by == colleague


def test_it_opens_the_form_that_nobody_has_any_more(
    reviewer_client: Client, reviewer: User, item: QueueItem, colleague: User
) -> None:
    claiming.claim(item, colleague)
    claiming.release(item, colleague)
    assert '<div class="fields">' in reviewer_client.post(url(item, "wait/")).text
    assert QueueItem.objects.get().claimed_by == reviewer


def test_it_shows_the_review_of_a_colleague_who_is_done(
    reviewer_client: Client, item: QueueItem, colleague_client: Client
) -> None:
    colleague_client.post(url(item), {"version": "0", "score": "1", "notes": "All of it is right."})
    assert "All of it is right." in reviewer_client.post(url(item, "wait/")).text


def test_it_lets_nobody_type_into_a_form_that_is_not_theirs(
    reviewer_client: Client, item: QueueItem, colleague: User
) -> None:
    claiming.claim(item, colleague)
    assert '<div class="fields" inert>' in reviewer_client.get(url(item)).content.decode()


def test_a_lead_takes_it_over(lead_client: Client, lead: User, item: QueueItem, colleague: User) -> None:
    claiming.claim(item, colleague)
    assert "Take it over" in lead_client.get(url(item)).content.decode()
    lead_client.post(url(item, "take-over/"))
    assert QueueItem.objects.get().claimed_by == lead


def test_it_refuses_a_reviewer_who_takes_over(reviewer_client: Client, item: QueueItem) -> None:
    assert reviewer_client.post(url(item, "take-over/")).status_code == 403


def test_it_stays_and_remembers_that(reviewer_client: Client, queue: Queue) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    answer = reviewer_client.post(url(first), {"score": "1", "version": "0", "stay": "true"})
    assert answer["Location"] == url(first)
    assert 'name="stay" value="true" checked' in reviewer_client.get(url(second)).content.decode()
    reviewer_client.post(url(second), {"score": "1", "version": "0"})
    assert 'name="stay" value="true" checked' not in reviewer_client.get(url(second)).content.decode()


def test_an_unsure_answer_goes_to_a_second_person(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    reviewer_client.post(url(item), {"unsure": "true", "notes": "hm", "version": "0"})
    assert QueueItem.objects.get().state == ItemState.PENDING
    assert Patch.objects.get().values["score"] is None
    assert reviewer_client.get("/p/support/queues/answers/review/")["Location"].endswith("/end/")
    assert colleague_client.get("/p/support/queues/answers/review/")["Location"] == url(item)


def test_it_refuses_unsure_with_a_score(reviewer_client: Client, item: QueueItem) -> None:
    answer = reviewer_client.post(url(item), {"unsure": "true", "score": "1", "version": "0"})
    assert answer.status_code == 422
    assert "exclude each other" in answer.content.decode()


def test_it_lists_ones_own_answers(reviewer_client: Client, colleague_client: Client, item: QueueItem) -> None:
    reviewer_client.post(url(item), {"score": "0.5", "notes": "mine alone", "version": "0"})
    where = "/p/support/queues/answers/mine/"
    assert "mine alone" in reviewer_client.get(where).content.decode()
    assert "mine alone" not in colleague_client.get(where).content.decode()
    assert Review.objects.count() == 1
