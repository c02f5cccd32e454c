"""The same submit sent again, after a lost response or by a second click, is the same review."""

from functools import partial
from uuid import uuid4

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from tests.cast import sign_in_client
from tests.factories import QueueItemFactory
from tests.threads import run_concurrently


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


def post(client: Client, item: QueueItem, **fields: str) -> int:
    """Submit the form. Returns the response's status."""
    return client.post(url(item), {"notes": "mine", "version": "0", **fields}).status_code


def test_it_saves_the_client_id(reviewer_client: Client, item: QueueItem) -> None:
    client_id = uuid4()
    post(reviewer_client, item, client_id=str(client_id))
    assert Review.objects.get().client_id == client_id


def test_it_saves_one_revision_of_a_submit_sent_twice(reviewer_client: Client, item: QueueItem) -> None:
    client_id = str(uuid4())
    assert [post(reviewer_client, item, client_id=client_id) for _ in range(2)] == [302, 302]
    assert Review.objects.count() == Patch.objects.count() == 1


def test_it_recognises_a_repeated_submit_after_a_colleagues_revision(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    client_id = str(uuid4())
    post(reviewer_client, item, client_id=client_id)
    post(colleague_client, item, version="1", notes="theirs")
    assert post(reviewer_client, item, client_id=client_id) == 302
    assert Review.objects.get(is_latest=True).notes == "theirs"


def test_it_refuses_other_answers_with_the_same_client_id(reviewer_client: Client, item: QueueItem) -> None:
    client_id = str(uuid4())
    post(reviewer_client, item, client_id=client_id)
    assert post(reviewer_client, item, client_id=client_id, notes="changed since") == 409
    assert Review.objects.count() == 1


def test_it_ignores_the_client_id_of_another_item(reviewer_client: Client, item: QueueItem) -> None:
    other, client_id = QueueItemFactory.create(queue=item.queue), str(uuid4())
    assert [post(reviewer_client, target, client_id=client_id) for target in (item, other)] == [302, 302]
    assert Review.objects.get(item=other).client_id is None


@pytest.mark.parametrize("client_id", ["", "x", "0" * 400, "\x00"])
def test_it_saves_a_review_with_a_malformed_client_id(reviewer_client: Client, item: QueueItem, client_id: str) -> None:
    assert post(reviewer_client, item, client_id=client_id) == 302
    assert Review.objects.get().client_id is None


@pytest.mark.django_db(transaction=True)
def test_it_saves_one_revision_of_concurrent_submits(reviewer: User, item: QueueItem) -> None:
    client_id, clients = str(uuid4()), [sign_in_client(reviewer) for _ in range(8)]
    statuses = run_concurrently([partial(post, client, item, client_id=client_id) for client in clients])
    assert set(statuses) == {302}
    assert Review.objects.count() == 1
