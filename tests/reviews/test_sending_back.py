"""Send a review back to be done again, compare its revisions, accept it."""

from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.models.assignment import Assignment
from reviewapp.queues.models.discussion import Notification
from reviewapp.reviews import sending_back
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import undo
from tests.factories import QueueFactory, QueueItemFactory, ReviewFactory

GOOD = Answers(Decimal(1), "The answer is right.", needs_review=False)
BAD = Answers(Decimal(0), "The answer is wrong.", needs_review=False)
URL = "/p/support/reviews/change/"


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def send_back(review: Review, lead: User, comment: str = "Look again.", to: User | None = None) -> None:
    review.item = load(review.item)
    outcome = sending_back.send_back(review.item.queue.project, [review], lead, comment, to=to)
    assert outcome.changed == [review]


@pytest.fixture
def double(project: Project) -> QueueItem:
    """An item that two people review."""
    return QueueItemFactory.create(queue=QueueFactory.create(project=project, slug="double", reviewers_per_item=2))


def test_it_comes_back_first(queue: Queue, reviewer: User, lead: User) -> None:
    items = QueueItemFactory.create_batch(2, queue=queue)
    last = QueueItemFactory.create(queue=queue, priority=-5)
    send_back(submit(load(last), reviewer, GOOD, version=0), lead)
    assert load(last).state == ItemState.PENDING
    assert claiming.list_upcoming(queue, reviewer, 0, 3) == [last.pk, items[0].pk, items[1].pk]


def test_it_comes_before_what_one_has_open(queue: Queue, reviewer: User, lead: User) -> None:
    first, second = QueueItemFactory.create_batch(2, queue=queue)
    review = submit(load(second), reviewer, GOOD, version=0)
    assert claiming.claim_next(queue, reviewer) == first.pk
    send_back(review, lead)
    assert claiming.claim_next(queue, reviewer) == second.pk


def test_it_shows_the_comment_above_the_form(
    item: QueueItem, reviewer: User, lead: User, reviewer_client: Client
) -> None:
    send_back(submit(load(item), reviewer, GOOD, version=0), lead, "Is it <b>really</b> right?")
    page = reviewer_client.get(f"/p/support/items/{item.pk}/").text
    assert "Is it &lt;b&gt;really&lt;/b&gt; right?" in page
    assert "The answer is right.</textarea>" in page


def test_it_is_done_with_a_new_revision(item: QueueItem, reviewer: User, lead: User) -> None:
    send_back(submit(load(item), reviewer, GOOD, version=0), lead)
    submit(load(item), reviewer, BAD, version=1)
    assert (load(item).state, load(item).assigned_count) == (ItemState.COMPLETED, 0)
    fixed = Notification.objects.get(user=lead)
    assert (fixed.kind, fixed.item, fixed.by) == ("fixed", item, "reviewer")


def test_it_is_done_with_the_same_answers(item: QueueItem, reviewer: User, lead: User) -> None:
    send_back(submit(load(item), reviewer, GOOD, version=0), lead)
    submit(load(item), reviewer, GOOD, version=1)
    assert load(item).state == ItemState.COMPLETED
    assert Notification.objects.filter(user=lead, kind="fixed").exists()


def test_it_waits_again_after_an_undo(item: QueueItem, reviewer: User, lead: User) -> None:
    Queue.objects.update(grace_seconds=60)
    send_back(submit(load(item), reviewer, GOOD, version=0), lead)
    submit(load(item), reviewer, BAD, version=1)
    undo(load(item), reviewer)
    assert load(item).state == ItemState.PENDING
    assert Assignment.objects.get().done_at is None


def test_it_goes_to_another_person(item: QueueItem, reviewer: User, colleague: User, lead: User) -> None:
    send_back(submit(load(item), reviewer, GOOD, version=0), lead, to=colleague)
    assert claiming.list_upcoming(item.queue, reviewer, 0, 9) == []
    assert claiming.list_upcoming(item.queue, colleague, 0, 9) == [item.pk]
    submit(load(item), colleague, BAD, version=1)
    assert Review.objects.get(is_latest=True).reviewer == colleague


def test_it_waits_for_the_person_among_several(double: QueueItem, reviewer: User, colleague: User, lead: User) -> None:
    first = submit(load(double), reviewer, GOOD, version=0)
    submit(load(double), colleague, GOOD, version=0)
    send_back(first, lead)
    submit(load(double), colleague, BAD, version=2)
    assert load(double).state == ItemState.PENDING
    assert claiming.claim(load(double), reviewer)
    submit(load(double), reviewer, BAD, version=1)
    assert load(double).state == ItemState.COMPLETED


def test_it_refuses_what_cannot_be_sent_back(item: QueueItem, reviewer: User, lead: User) -> None:
    review = submit(load(item), reviewer, GOOD, version=0)
    send_back(review, lead)
    outdated = ReviewFactory.create(item__queue=item.queue, is_latest=False)
    gone = ReviewFactory.create(item__queue=item.queue)
    Membership.objects.filter(user=gone.reviewer).delete()
    outcome = sending_back.send_back(item.queue.project, [review, outdated, gone], lead, "")
    assert dict(outcome.refused) == {
        sending_back.IS_SENT_BACK: [review], sending_back.IS_OUTDATED: [outdated], sending_back.IS_ABSENT: [gone],
    }  # fmt: skip


def test_it_previews_and_sends_back(item: QueueItem, reviewer: User, lead_client: Client) -> None:
    review = submit(load(item), reviewer, GOOD, version=0)
    foreign = ReviewFactory.create()
    form_data = {"change": "send-back", "review": [review.pk, foreign.pk, "x"], "comment": "Again."}
    page = " ".join(lead_client.post(URL, form_data).text.split())
    assert "1 review will be asked for again" in page
    assert f"Not reviews of this project: {foreign.pk}, x." in page
    assert not Assignment.objects.exists()
    assert lead_client.post(URL, form_data | {"confirm": "true"}).status_code == 302
    assert Assignment.objects.get().comment == "Again."


@pytest.mark.parametrize(
    "extra", [{"person": "nobody"}, {"person": "a\0b"}, {"comment": "a\0b"}, {"comment": "a" * 2_001}], ids=repr
)
def test_it_keeps_the_comment_it_refuses(
    item: QueueItem, reviewer: User, lead_client: Client, extra: dict[str, str]
) -> None:
    review = submit(load(item), reviewer, GOOD, version=0)
    response = lead_client.post(URL, {"change": "send-back", "review": review.pk, "confirm": "1", **extra})
    assert response.status_code == 422
    assert "Nothing was changed." in response.text
    assert not Assignment.objects.exists()


def test_it_accepts_a_review_once(item: QueueItem, reviewer: User, lead: User, lead_client: Client) -> None:
    review = submit(load(item), reviewer, GOOD, version=0)
    form_data = {"change": "accept", "review": review.pk, "confirm": "true"}
    lead_client.post(URL, form_data)
    assert Review.objects.get().accepted_by == lead
    page = lead_client.post(URL, form_data, follow=True).text
    assert "1 did not change: already accepted." in page


def test_it_compares_revisions(item: QueueItem, reviewer: User, lead_client: Client) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    review = submit(load(item), reviewer, BAD, version=1)
    page = lead_client.get(f"/p/support/reviews/{review.pk}/revisions/").text
    assert "The answer is<del> right.</del><ins> wrong.</ins>" in page
    assert page.index("Revision 2") < page.index("Revision 1")
