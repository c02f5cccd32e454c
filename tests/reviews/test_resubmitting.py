"""The same submit sent again, after a lost answer or by a second click, is the same review."""

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


def sent(client: Client, item: QueueItem, **fields: str) -> int:
    return client.post(url(item), {"notes": "mine", "version": "0", **fields}).status_code


def test_it_keeps_the_forms_own_mark(reviewer_client: Client, item: QueueItem) -> None:
    mark = uuid4()
    sent(reviewer_client, item, client_id=str(mark))
    assert Review.objects.get().client_id == mark


def test_it_makes_one_revision_of_a_submit_sent_twice(reviewer_client: Client, item: QueueItem) -> None:
    mark = str(uuid4())
    assert [sent(reviewer_client, item, client_id=mark) for _ in range(2)] == [302, 302]
    assert Review.objects.count() == Patch.objects.count() == 1


def test_it_knows_a_submit_again_after_a_colleagues_revision(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    mark = str(uuid4())
    sent(reviewer_client, item, client_id=mark)
    sent(colleague_client, item, version="1", notes="theirs")
    assert sent(reviewer_client, item, client_id=mark) == 302
    assert Review.objects.get(is_latest=True).notes == "theirs"


def test_it_refuses_other_answers_under_the_same_mark(reviewer_client: Client, item: QueueItem) -> None:
    mark = str(uuid4())
    sent(reviewer_client, item, client_id=mark)
    assert sent(reviewer_client, item, client_id=mark, notes="changed since") == 409
    assert Review.objects.count() == 1


def test_it_takes_a_mark_of_another_item_for_none(reviewer_client: Client, item: QueueItem) -> None:
    other, mark = QueueItemFactory.create(queue=item.queue), str(uuid4())
    assert [sent(reviewer_client, each, client_id=mark) for each in (item, other)] == [302, 302]
    assert Review.objects.get(item=other).client_id is None


@pytest.mark.parametrize("mark", ["", "x", "0" * 400, "\x00"])
def test_it_takes_a_review_whose_mark_is_none(reviewer_client: Client, item: QueueItem, mark: str) -> None:
    assert sent(reviewer_client, item, client_id=mark) == 302
    assert Review.objects.get().client_id is None


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_revision_of_many_at_once(reviewer: User, item: QueueItem) -> None:
    mark, clients = str(uuid4()), [sign_in_client(reviewer) for _ in range(8)]
    told = run_concurrently([partial(sent, client, item, client_id=mark) for client in clients])
    assert set(told) == {302}
    assert Review.objects.count() == 1
