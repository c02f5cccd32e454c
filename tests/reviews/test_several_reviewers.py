"""Queues whose items are reviewed by several people: each has a review of their own."""

from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Patch, State
from reviewapp.queues import claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews.models import Draft, Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import StaleReviewError, submit
from reviewapp.reviews.undoing import CannotUndoError, undo
from reviewapp.reviews.visibility import select_visible
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory
from tests.threads import run_concurrently

GOOD = Answers(Decimal("0.8"), "Right.", needs_review=False)
BAD = Answers(Decimal("0.2"), "Wrong.", needs_review=True)
UNSURE = Answers(None, "Hm.", needs_review=False, is_unsure=True)


@pytest.fixture
def queue(project: Project) -> Queue:
    return QueueFactory.create(project=project, slug="double", reviewers_per_item=2)


@pytest.fixture
def item(queue: Queue) -> QueueItem:
    return QueueItemFactory.create(queue=queue)


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def url(item: QueueItem) -> str:
    return f"/p/{item.queue.project.slug}/items/{item.pk}/"


def test_it_stays_pending_until_all_have_reviewed_it(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    assert (load(item).state, load(item).review_count) == (ItemState.PENDING, 1)
    submit(load(item), colleague, BAD, version=0)
    assert (load(item).state, load(item).review_count) == (ItemState.COMPLETED, 2)
    assert load(item).completed_at is not None


def test_it_keeps_a_newest_review_of_each_person(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    submit(load(item), reviewer, BAD, version=1)
    rows = Review.objects.order_by("revision").values_list("revision", "reviewer__username", "is_latest")
    assert list(rows) == [(1, "reviewer", False), (2, "colleague", True), (3, "reviewer", True)]


def test_it_gives_nobody_an_item_twice(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    assert claiming.claim_next(item.queue, reviewer) is None
    assert claiming.list_upcoming(item.queue, reviewer, 0, 5) == []
    assert claiming.claim_next(item.queue, colleague) == item.pk


def test_it_does_not_claim_an_item_that_one_has_reviewed(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    assert not claiming.claim(load(item), reviewer)
    assert load(item).claimed_by is None


def test_it_leaves_the_claim_of_a_colleague(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    claiming.claim(load(item), colleague)
    submit(load(item), reviewer, BAD, version=1)
    assert load(item).claimed_by == colleague


def test_it_counts_no_unsure_answer(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, UNSURE, version=0)
    submit(load(item), colleague, GOOD, version=0)
    assert (load(item).state, load(item).review_count) == (ItemState.PENDING, 1)


def test_it_refuses_a_stale_form_of_the_same_person(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    with pytest.raises(StaleReviewError) as caught:
        submit(load(item), reviewer, BAD, version=0)
    assert caught.value.latest == Review.objects.get()
    assert load(item).version == 1


@pytest.mark.django_db(transaction=True)
def test_it_accepts_one_of_two_forms_of_the_same_person(item: QueueItem, reviewer: User) -> None:
    def send(answers: Answers) -> str:
        try:
            submit(load(item), reviewer, answers, version=0)
        except StaleReviewError:
            return "stale"
        return "saved"

    assert sorted(run_concurrently([lambda: send(GOOD), lambda: send(BAD)])) == ["saved", "stale"]
    assert Review.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_takes_the_reviews_of_many_people_at_once(item: QueueItem, reviewer: User, colleague: User) -> None:
    def send(user: User) -> Review:
        return submit(load(item), user, GOOD, version=0)

    run_concurrently([lambda: send(reviewer), lambda: send(colleague)])
    assert (load(item).version, load(item).state) == (2, ItemState.COMPLETED)


def test_it_accepts_the_same_answers_sent_again(item: QueueItem, reviewer: User, colleague: User) -> None:
    first = submit(item, reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    assert submit(load(item), reviewer, GOOD, version=first.revision) == first
    assert Review.objects.count() == 2


def test_it_pushes_nothing_until_all_have_answered(item: QueueItem, reviewer: User, colleague: User) -> None:
    first = submit(item, reviewer, GOOD, version=0)
    assert not Patch.objects.exists()
    assert first.delivery_state == "not pushed"
    submit(load(item), colleague, BAD, version=0)
    values = Patch.objects.get().values
    assert (values["reviewer"], values["notes"]) == ("colleague", "Wrong.")


def test_it_shows_no_answer_in_the_metadata_before(item: QueueItem, reviewer: User) -> None:
    trace = TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, metadata='{"region":"eu"}')
    submit(item, reviewer, GOOD, version=0)
    trace.refresh_from_db()
    assert (trace.metadata, trace.review_count) == ('{"region":"eu"}', 0)


def test_it_pushes_each_answer_at_once_in_an_open_queue(item: QueueItem, reviewer: User, colleague: User) -> None:
    Queue.objects.update(is_blind=False)
    submit(load(item), reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    assert Patch.objects.count() == 2
    assert Patch.objects.get(state=State.WAITING).values["reviewer"] == "colleague"


def test_it_hides_the_first_answer_from_the_second(
    item: QueueItem, reviewer: User, colleague: User, colleague_client: Client
) -> None:
    submit(item, reviewer, Answers(Decimal("0.8"), "a secret opinion", needs_review=True), version=0)
    assert not select_visible(item.queue.project, colleague).exists()
    page = colleague_client.get(url(item)).text
    assert "a secret opinion" not in page
    assert 'name="version" value="0"' in page


def test_it_opens_one_s_own_review(item: QueueItem, reviewer: User, colleague: User, reviewer_client: Client) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    page = reviewer_client.get(url(item)).text
    assert "Right.</textarea>" in page
    assert 'name="version" value="1"' in page


def test_it_opens_an_empty_form_for_the_next_person(item: QueueItem, reviewer: User, colleague_client: Client) -> None:
    submit(item, reviewer, GOOD, version=0)
    response = colleague_client.post(url(item), {"score": "0.2", "notes": "Mine.", "version": "0"})
    assert response.status_code == 302
    assert load(item).state == ItemState.COMPLETED


def test_it_saves_a_draft_beside_a_colleague_s_review(
    item: QueueItem, reviewer: User, colleague: User, colleague_client: Client
) -> None:
    submit(item, reviewer, GOOD, version=0)
    response = colleague_client.post(f"{url(item)}draft/", {"notes": "half", "version": "0"})
    assert response.status_code == 204
    assert Draft.objects.get().user == colleague


def test_it_undoes_one_s_own_review(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    undo(load(item), colleague)
    assert (load(item).state, load(item).review_count) == (ItemState.PENDING, 1)
    assert Review.objects.get(is_latest=True).reviewer == reviewer
    assert Patch.objects.get().state == State.SUPERSEDED
    submit(load(item), colleague, GOOD, version=2)
    assert load(item).state == ItemState.COMPLETED


def test_it_undoes_a_review_that_is_not_pushed_yet(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    undo(load(item), reviewer)
    assert (load(item).review_count, load(item).claimed_by) == (0, reviewer)
    assert claiming.claim_next(item.queue, reviewer) == item.pk


def test_it_refuses_to_undo_while_a_colleague_has_the_item(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    claiming.claim(load(item), colleague)
    with pytest.raises(CannotUndoError):
        undo(load(item), reviewer)


def test_it_asks_a_second_person_about_a_share(project: Project, reviewer: User, colleague: User) -> None:
    queue = QueueFactory.create(project=project, slug="some", second_look_percent=50)
    items = QueueItemFactory.create_batch(40, queue=queue)
    for item in items:
        submit(load(item), reviewer, GOOD, version=0)
    waiting = QueueItem.objects.pending().filter(queue=queue)
    assert 8 <= waiting.count() <= 32
    assert set(waiting.values_list("reviews_required", flat=True)) == {2}
    submit(load(waiting[0]), colleague, BAD, version=0)
    assert QueueItem.objects.filter(queue=queue, review_count=2).get().state == ItemState.COMPLETED


def test_it_completes_items_when_fewer_reviewers_are_asked(
    item: QueueItem, reviewer: User, lead_client: Client
) -> None:
    submit(item, reviewer, GOOD, version=0)
    form_data = {
        "name": "Double", "score_key": "score", "notes_key": "notes", "needs_review_key": "needs_review",
        "reviewer_key": "reviewer", "review_rev_key": "review_rev", "reviewers_per_item": "1",
    }  # fmt: skip
    response = lead_client.post(f"/p/support/queues/{item.queue.slug}/settings/", form_data)
    assert response.status_code == 302
    assert load(item).state == ItemState.COMPLETED


@pytest.mark.parametrize("count", ["0", "21", "x", "-1", "1.5", "9" * 400])
def test_it_refuses_an_impossible_number_of_reviewers(lead_client: Client, queue: Queue, count: str) -> None:
    response = lead_client.post(f"/p/support/queues/{queue.slug}/settings/", {"reviewers_per_item": count})
    assert response.status_code == 422
    assert Queue.objects.get(pk=queue.pk).reviewers_per_item == 2
