"""Who gets which item: assignments, the people of a queue, and the lead's page of them."""

from collections import Counter
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.lib import clock
from reviewapp.queues import adding, assigning, claiming
from reviewapp.queues.adding import Entry
from reviewapp.queues.assigning import Change
from reviewapp.queues.freeing import free_absent
from reviewapp.queues.models import ItemState, Queue, QueueItem, WhoReviews
from reviewapp.queues.models.assignment import Assignment, QueueReviewer
from reviewapp.queues.models.discussion import Notification
from reviewapp.queues.skipping import skip
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.undoing import undo
from tests.factories import QueueFactory, QueueItemFactory, TraceFactory

GOOD = Answers(Decimal(1), "", needs_review=False)
URL = "/p/support/queues/answers/assign/"


@pytest.fixture
def items(queue: Queue) -> list[QueueItem]:
    return QueueItemFactory.create_batch(4, queue=queue)


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def assign(queue: Queue, items: list[QueueItem], person: User, actor: User) -> assigning.Plan:
    return assigning.apply(queue, [item.pk for item in items], Change.ASSIGN, actor, person)


def test_it_gives_what_is_assigned_before_what_is_free(
    queue: Queue, items: list[QueueItem], reviewer: User, lead: User
) -> None:
    assign(queue, items[2:3], reviewer, lead)
    assert claiming.list_upcoming(queue, reviewer, 0, 4) == [items[n].pk for n in (2, 0, 1, 3)]
    assert claiming.claim_next(queue, reviewer) == items[2].pk


def test_it_offers_an_assigned_item_to_nobody_else(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User, lead: User
) -> None:
    assign(queue, items[:3], reviewer, lead)
    assert claiming.list_upcoming(queue, colleague, 0, 4) == [items[3].pk]
    assert claiming.claim_next(queue, colleague) == items[3].pk
    assert not claiming.claim_by_pk(queue, colleague, items[0].pk, after=items[3])
    assert claiming.claim_by_pk(queue, reviewer, items[0].pk, after=items[3])


def test_it_offers_an_item_until_enough_people_have_it(
    project: Project, reviewer: User, colleague: User, lead: User
) -> None:
    queue = QueueFactory.create(project=project, reviewers_per_item=2)
    item = QueueItemFactory.create(queue=queue)
    assign(queue, [item], reviewer, lead)
    assert claiming.list_upcoming(queue, colleague, 0, 4) == [item.pk]
    assign(queue, [item], colleague, lead)
    assert claiming.list_upcoming(queue, lead, 0, 4) == []
    assert assign(queue, [item], lead, lead).refused[assigning.IS_FULL] == [item.pk]


def test_it_opens_an_assigned_item_by_link_for_leads_only(
    queue: Queue, items: list[QueueItem], reviewer: User, lead: User, colleague_client: Client, lead_client: Client
) -> None:
    assign(queue, items[:1], reviewer, lead)
    url = f"/p/support/items/{items[0].pk}/"
    assert "Other people are to review this item." in colleague_client.get(url).text
    assert colleague_client.post(f"{url}wait/").status_code == 204
    assert "Other people are to review this item." not in lead_client.get(url).text
    lead_client.post(f"{url}claim/")
    assert load(items[0]).claimed_by == lead


def test_it_closes_the_assignment_with_a_submit(
    queue: Queue, items: list[QueueItem], reviewer: User, lead: User
) -> None:
    assign(queue, items[:1], reviewer, lead)
    review = submit(load(items[0]), reviewer, GOOD, version=0)
    assert Assignment.objects.get().done_at == review.submitted_at
    assert load(items[0]).assigned_count == 0


def test_it_opens_the_assignment_again_with_an_undo(
    queue: Queue, items: list[QueueItem], reviewer: User, lead: User
) -> None:
    assign(queue, items[:1], reviewer, lead)
    submit(load(items[0]), reviewer, GOOD, version=0)
    undo(load(items[0]), reviewer)
    assert Assignment.objects.get().done_at is None
    assert (load(items[0]).assigned_count, load(items[0]).state) == (1, ItemState.PENDING)


def test_it_withdraws_the_others_when_an_item_is_completed(
    queue: Queue, items: list[QueueItem], reviewer: User, lead: User
) -> None:
    assign(queue, items[:1], reviewer, lead)
    submit(load(items[0]), lead, GOOD, version=0)
    assert not Assignment.objects.exists()
    assert load(items[0]).assigned_count == 0


def test_it_frees_an_item_that_is_left_for_someone_else(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User, lead: User
) -> None:
    assign(queue, items[:1], reviewer, lead)
    skip(load(items[0]), reviewer, "other")
    assert claiming.claim_next(queue, colleague) == items[0].pk
    assert assign(queue, items[:1], reviewer, lead).refused[assigning.HAS_SKIPPED] == [items[0].pk]


def test_it_gives_items_of_a_named_queue_to_those_named(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User
) -> None:
    Queue.objects.update(who_reviews=WhoReviews.NAMED)
    queue.refresh_from_db()
    QueueReviewer.objects.create(queue=queue, user=reviewer)
    assert len(claiming.list_upcoming(queue, reviewer, 0, 9)) == 4
    assert claiming.claim_next(queue, colleague) is None


def test_it_assigns_new_items_by_weight(queue: Queue, reviewer: User, colleague: User, lead: User) -> None:
    Queue.objects.update(who_reviews=WhoReviews.ASSIGNED)
    QueueReviewer.objects.create(queue=queue, user=reviewer, weight=3)
    QueueReviewer.objects.create(queue=queue, user=colleague, weight=1)
    traces = TraceFactory.create_batch(8, project=queue.project)
    adding.add(queue, [Entry(trace.trace_id) for trace in traces], lead)
    assert Counter(Assignment.objects.values_list("user__username", flat=True)) == {"reviewer": 6, "colleague": 2}
    assert set(QueueItem.objects.values_list("assigned_count", flat=True)) == {1}


def test_it_spreads_over_as_many_people_as_review_an_item(
    project: Project, reviewer: User, colleague: User, lead: User
) -> None:
    queue = QueueFactory.create(project=project, reviewers_per_item=2)
    items = QueueItemFactory.create_batch(3, queue=queue)
    submit(load(items[0]), reviewer, GOOD, version=0)
    assigning.apply(queue, [item.pk for item in items], Change.SPREAD, lead)
    people = {item.pk: set(item.assignments.values_list("user__username", flat=True)) for item in items}
    assert people == {
        items[0].pk: {"colleague"}, items[1].pk: {"reviewer", "colleague"}, items[2].pk: {"reviewer", "colleague"},
    }  # fmt: skip


def test_it_moves_an_assignment_and_ends_claims(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User, lead: User
) -> None:
    assign(queue, items[:1], reviewer, lead)
    claiming.claim(load(items[0]), reviewer)
    assigning.apply(queue, [items[0].pk], Change.REASSIGN, lead, colleague)
    assert Assignment.objects.get().user == colleague
    assert (load(items[0]).claimed_by, load(items[0]).assigned_count) == (None, 1)


def test_it_frees_what_absent_people_left(
    queue: Queue, items: list[QueueItem], reviewer: User, colleague: User, lead: User
) -> None:
    assign(queue, items[:2], reviewer, lead)
    claiming.claim(load(items[3]), colleague)
    User.objects.filter(pk=reviewer.pk).update(is_active=False)
    Membership.objects.filter(user=colleague).delete()
    assert free_absent() == 3
    assert not Assignment.objects.exists()
    assert not QueueItem.objects.exclude(assigned_count=0, claimed_by=None).exists()
    texts = list(Notification.objects.filter(user=lead).order_by("pk").values_list("text", flat=True))
    assert texts == [
        "reviewer was deactivated. 2 assignments in “Answers” ended; others get these items now.",
        "colleague left the project. 1 claim in “Answers” ended; others get these items now.",
    ]
    assert Membership.objects.get(user=lead).inbox_count == 2
    assert free_absent() == 0


def test_it_previews_a_change_and_names_foreign_items(
    project: Project, queue: Queue, items: list[QueueItem], reviewer: User, lead: User, lead_client: Client
) -> None:
    foreign = QueueItemFactory.create(queue=QueueFactory.create(project=project))
    QueueItem.objects.filter(pk=items[1].pk).update(state=ItemState.SKIPPED)
    form_data = {"change": "assign", "person": "reviewer", "item": [items[0].pk, items[1].pk, foreign.pk]}
    page = lead_client.post(URL, form_data).text
    assert "1 assigned" in page
    assert f"1 item, already completed or skipped: {items[1].pk}" in page
    assert f"Not items of this queue: {foreign.pk}." in page
    assert not Assignment.objects.exists()
    response = lead_client.post(URL, {**form_data, "confirm": "true"})
    assert response.status_code == 302
    assert list(Assignment.objects.values_list("item", "user")) == [(items[0].pk, reviewer.pk)]


def test_it_changes_all_that_match(queue: Queue, items: list[QueueItem], reviewer: User, lead_client: Client) -> None:
    form_data = {"change": "assign", "person": "reviewer", "assigned": "nobody", "all": "true", "confirm": "1"}
    lead_client.post(URL, form_data)
    assert Assignment.objects.filter(user=reviewer).count() == len(items)


@pytest.mark.parametrize(
    "form_data",
    [{}, {"change": "x"}, {"change": "assign", "person": "nobody", "item": "1"}, {"change": "spread"},
     {"change": "assign", "person": "a\0b", "item": "1"}, {"change": "unassign", "item": "9" * 99}],
    ids=str,
)  # fmt: skip
def test_it_refuses_an_incomplete_change(lead_client: Client, queue: Queue, form_data: dict[str, str]) -> None:
    response = lead_client.post(URL, form_data)
    assert response.status_code == 422
    assert "Nothing was changed." in response.text


def test_it_shows_load_and_what_a_person_gets_next(
    queue: Queue, items: list[QueueItem], reviewer: User, lead: User, lead_client: Client
) -> None:
    assign(queue, items[:2], reviewer, lead)
    QueueItem.objects.filter(pk=items[0].pk).update(due_at=clock.now().replace(year=2020))
    page = " ".join(lead_client.get(URL, {"as": "reviewer"}).text.split())
    assert 'data-label="open">2</td>' in page
    assert 'data-label="late"><b class="look">1</b></td>' in page
    assert "What reviewer gets next" in page
    assert load(items[0]).claimed_by is None


def test_it_saves_the_people_of_a_queue(queue: Queue, reviewer: User, lead: User, lead_client: Client) -> None:
    url = reverse("queues:queue-people", args=["support", "answers"])
    response = lead_client.post(url, {"who_reviews": "named", f"weight-{reviewer.pk}": "2", f"weight-{lead.pk}": ""})
    assert response.status_code == 302
    assert list(QueueReviewer.objects.values_list("user", "weight")) == [(reviewer.pk, 2)]
    for weight in ("-1", "101", "x", "9" * 99):
        assert lead_client.post(url, {"who_reviews": "named", f"weight-{reviewer.pk}": weight}).status_code == 422
    assert lead_client.post(url, {"who_reviews": "named"}).status_code == 422
