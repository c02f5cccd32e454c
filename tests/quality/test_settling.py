"""Leads settle what reviewers answered differently."""

from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Patch, State
from reviewapp.quality.models import Settlement
from reviewapp.quality.settling import StaleSettlementError, settle
from reviewapp.queues.models import PushPolicy, Queue, QueueItem, Rubric
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import undo
from tests.factories import QueueFactory, QueueItemFactory
from tests.threads import run_concurrently

GOOD = Answers(Decimal("0.8"), "Right.", needs_review=False)
BAD = Answers(Decimal("0.2"), "Wrong.", needs_review=True)
UNSURE = Answers(None, "Hm.", needs_review=False, is_unsure=True)


@pytest.fixture
def queue(project: Project) -> Queue:
    return QueueFactory.create(
        project=project, slug="double", reviewers_per_item=2, push_policy=PushPolicy.SETTLED
    )  # fmt: skip


@pytest.fixture
def item(queue: Queue, reviewer: User, colleague: User) -> QueueItem:
    """An item with two different reviews, the colleague's the newer one."""
    item = QueueItemFactory.create(queue=queue)
    submit(load(item), reviewer, GOOD, version=0)
    submit(load(item), colleague, BAD, version=0)
    return item


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def url(item: QueueItem) -> str:
    return f"/p/support/queues/double/disagreements/{item.pk}/"


def get_review(user: User) -> Review:
    return Review.objects.get(reviewer=user, is_latest=True)


def fields(item: QueueItem, user: User, **changes: object) -> dict[str, object]:
    return {"review": get_review(user).pk, "version": load(item).version, "number": 0, **changes}


def test_it_pushes_nothing_until_it_is_settled(item: QueueItem, reviewer: User, lead_client: Client) -> None:
    assert not Patch.objects.exists()
    response = lead_client.post(url(item), fields(item, reviewer, ruling="Dates may be short."))
    assert response["Location"].endswith("/disagreements/")
    values = Patch.objects.get().values
    assert (values["score"], values["notes"], values["reviewer"]) == (0.8, "Right.", "lead")
    assert Settlement.objects.get().ruling == "Dates may be short."
    assert load(item).disagreement == 0


def test_it_pushes_unanimous_answers_at_once(queue: Queue, reviewer: User, colleague: User) -> None:
    item = QueueItemFactory.create(queue=queue)
    submit(load(item), reviewer, GOOD, version=0)
    submit(load(item), colleague, GOOD, version=0)
    assert Patch.objects.get().values["score"] == 0.8
    assert load(item).disagreement == 0


def test_it_leaves_the_reviews_unchanged(item: QueueItem, reviewer: User, lead: User) -> None:
    before = list(Review.objects.order_by("pk").values())
    settle(load(item), lead, get_review(reviewer).pk, version=2, number=0, ruling="")
    assert list(Review.objects.order_by("pk").values()) == before


def test_it_pushes_no_notes_that_stay_here(queue: Queue, reviewer: User, colleague: User, lead: User) -> None:
    item = QueueItemFactory.create(queue=queue)
    private = Answers(Decimal(1), "secret", needs_review=False, keeps_notes_here=True)
    submit(load(item), reviewer, private, version=0)
    submit(load(item), colleague, BAD, version=0)
    settle(load(item), lead, get_review(reviewer).pk, version=2, number=0, ruling="")
    assert Patch.objects.get().values["notes"] is None


def test_it_lists_disagreements_worst_first(queue: Queue, item: QueueItem, lead_client: Client) -> None:
    mild = QueueItemFactory.create(queue=queue, state="completed", disagreement=Decimal("0.25"), review_count=2)
    QueueItemFactory.create(queue=queue, state="pending", disagreement=Decimal("0.5"), review_count=2)
    page = lead_client.get("/p/support/queues/double/disagreements/").text
    assert page.index(url(item)) < page.index(url(mild))
    assert page.count("/disagreements/") == page.count(url(item)) + page.count(url(mild))


def test_it_opens_the_next_item(queue: Queue, item: QueueItem, reviewer: User, lead_client: Client) -> None:
    following = QueueItemFactory.create(queue=queue, state="completed", disagreement=Decimal("0.25"), review_count=2)
    assert lead_client.post(url(item), fields(item, reviewer))["Location"] == url(following)


def test_it_shows_all_answers_side_by_side(item: QueueItem, lead_client: Client) -> None:
    page = lead_client.get(url(item)).text
    assert "Right." in page
    assert "Wrong." in page
    assert page.count("Take these answers") == 2


def test_it_comes_back_after_a_new_answer(item: QueueItem, reviewer: User, lead: User) -> None:
    settle(load(item), lead, get_review(reviewer).pk, version=2, number=0, ruling="")
    other = Answers(Decimal("0.5"), "", needs_review=False)
    submit(load(item), reviewer, other, version=1)
    assert load(item).disagreement == 1
    assert Patch.objects.get(state=State.WAITING).values["score"] == 0.8


def test_it_leaves_the_list_by_undo(item: QueueItem, colleague: User) -> None:
    assert load(item).disagreement == 1
    undo(load(item), colleague)
    assert load(item).disagreement == 0


@pytest.mark.parametrize("changes", [{"version": 1}, {"number": 1}, {"review": 10**9}, {"review": "x"}, {"number": ""}])
def test_it_refuses_an_outdated_page(
    item: QueueItem, reviewer: User, lead_client: Client, changes: dict[str, object]
) -> None:
    response = lead_client.post(url(item), fields(item, reviewer, ruling="Kept text", **changes))
    assert response.status_code == 409
    assert "Kept text" in response.text
    assert not Settlement.objects.exists()


def test_it_refuses_an_unsure_answer(queue: Queue, item: QueueItem, admin: User, lead_client: Client) -> None:
    submit(load(item), admin, UNSURE, version=0)
    assert lead_client.post(url(item), fields(item, admin)).status_code == 409


@pytest.mark.parametrize("ruling", ["x" * 501, "a\x00b", "two\nlines", "\u202e"])
def test_it_refuses_an_impossible_ruling(item: QueueItem, reviewer: User, lead_client: Client, ruling: str) -> None:
    assert lead_client.post(url(item), fields(item, reviewer, ruling=ruling)).status_code == 422
    assert not Settlement.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_lets_one_of_two_leads_win(
    item: QueueItem, reviewer: User, colleague: User, lead: User, admin: User
) -> None:
    def send(user: User, review: Review) -> str:
        try:
            settle(load(item), user, review.pk, version=2, number=0, ruling="")
        except StaleSettlementError:
            return "stale"
        return "settled"

    first, second = get_review(reviewer), get_review(colleague)
    assert sorted(run_concurrently([lambda: send(lead, first), lambda: send(admin, second)])) == ["settled", "stale"]
    assert Settlement.objects.count() == Patch.objects.count() == 1


def test_it_shows_both_to_the_other_lead(
    item: QueueItem, reviewer: User, colleague: User, admin: User, lead_client: Client
) -> None:
    settle(load(item), admin, get_review(reviewer).pk, version=2, number=0, ruling="Mine.")
    page = lead_client.post(url(item), fields(item, colleague, ruling="Other."))
    assert page.status_code == 409
    assert "Mine." in page.text
    assert "Other." in page.text
    assert 'name="number" value="1"' in page.text


def test_it_adds_a_ruling_to_the_guideline_once(
    item: QueueItem, reviewer: User, lead: User, lead_client: Client
) -> None:
    settlement = settle(load(item), lead, get_review(reviewer).pk, version=2, number=0, ruling="Short dates pass.")
    for _ in range(2):
        lead_client.post(f"/p/support/queues/double/disagreements/rulings/{settlement.pk}/")
    queue = Queue.objects.get()
    assert (queue.guideline, queue.rubric_version) == ("- Short dates pass.", 2)
    assert Rubric.objects.filter(queue=queue).count() == 2


def test_it_shows_nothing_to_reviewers(item: QueueItem, reviewer_client: Client) -> None:
    assert reviewer_client.get(url(item)).status_code == 403
    assert reviewer_client.get("/p/support/queues/double/disagreements/").status_code == 403
