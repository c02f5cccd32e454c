"""A save does not depend on Laminar, and the review and its patch are saved together or not at all."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connections
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from tests.factories import LaminarKeyFactory, QueueFactory, QueueItemFactory

UNREACHABLE_URL = "http://127.0.0.1:9"
ANSWERS = Answers(score=Decimal(1), notes="Correct.", needs_review=False)


@pytest.fixture
def unreachable(project: Project) -> Project:
    Project.objects.update(base_url=UNREACHABLE_URL)
    LaminarKeyFactory.create(project=project)
    return project


def test_it_saves_while_laminar_is_unreachable(unreachable: Project, item: QueueItem, reviewer_client: Client) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.get(url)
    started_at = time.monotonic()
    response = reviewer_client.post(url, {"score": "1", "notes": "Correct.", "version": "0"})
    assert (response.status_code, time.monotonic() - started_at < 1) == (302, True)
    assert (Review.objects.get().notes, Patch.objects.get().state) == ("Correct.", State.WAITING)


def test_it_saves_without_a_key(project: Project, item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, ANSWERS, version=0)
    assert Patch.objects.get().values["score"] == 1


@pytest.mark.django_db(transaction=True)
def test_it_saves_neither_review_nor_patch_when_it_fails(item: QueueItem, reviewer: User) -> None:
    answers = Answers(score=None, notes="\x00", needs_review=False)
    with pytest.raises(canonical_json.InvalidJSONError):
        submit(item, reviewer, answers, version=0)
    assert (Review.objects.exists(), Patch.objects.exists()) == (False, False)
    assert QueueItem.objects.get(pk=item.pk).version == 0


@pytest.mark.django_db(transaction=True)
def test_it_keeps_every_key_of_concurrent_saves(project: Project, item: QueueItem, reviewer: User) -> None:
    other = QueueFactory.create(project=project, slug="safety", key_prefix="safety.")
    items = [item, QueueItemFactory.create(queue=other, trace_id=item.trace_id)]

    def save(queue_item: QueueItem) -> None:
        try:
            submit(queue_item, reviewer, ANSWERS, version=0)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(save, items))
    patch = Patch.objects.get(state=State.WAITING)
    assert {"score", "safety.score", "review_rev", "safety.review_rev"} <= patch.values.keys()
    assert {patch.values["review_rev"], patch.values["safety.review_rev"]} == {1, 2}


def test_it_pushes_every_key_and_a_higher_number_with_each_revision(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, ANSWERS, version=0)
    review = submit(item, reviewer, Answers(score=None, notes="", needs_review=True), version=1)
    assert Patch.objects.get(reviews=review).values == {
        "score": None, "notes": None, "needs_review": True, "reviewer": "reviewer", "review_rev": 2,
    }  # fmt: skip
    assert Patch.objects.filter(state=State.WAITING).get() == review.patch
