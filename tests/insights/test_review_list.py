"""A queue's reviews, as a lead narrows and reads them."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import State
from reviewapp.insights.views import PAGE_SIZE
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review
from tests.factories import PatchFactory, QueueFactory, ReviewFactory
from tests.queries import count_queries

URL = "/p/support/queues/answers/reviews/"


@pytest.fixture
def written(queue: Queue) -> Any:
    """A review of a new item of the queue, by somebody, with these notes."""
    return lambda user, notes, **fields: ReviewFactory.create(item__queue=queue, reviewer=user, notes=notes, **fields)


@pytest.fixture
def show(lead_client: Client) -> Any:
    """The page for this query."""

    def get(**query: str | int) -> str:
        response = lead_client.get(URL, query)
        assert response.status_code == 200
        return response.content.decode()

    return get


def again(first: Review, user: User, notes: str, **fields: object) -> Review:
    """The next revision of a review."""
    Review.objects.filter(item=first.item).update(is_latest=False)
    patch = PatchFactory.create(project=first.patch.project, trace_id=first.item.trace_id)
    return ReviewFactory.create(
        item=first.item, reviewer=user, notes=notes, revision=first.revision + 1, patch=patch, **fields
    )


def test_it_shows_the_newest_first(written: Any, show: Any, reviewer: User) -> None:
    written(reviewer, "written first")
    written(reviewer, "written second")
    shown = show()

    assert 0 < shown.index("written second") < shown.index("written first")
    assert "2 reviews." in shown


def test_it_says_that_there_is_none(show: Any, queue: Queue) -> None:
    assert "No review matches." in show()


def test_it_shows_what_was_said(written: Any, show: Any, reviewer: User) -> None:
    written(reviewer, "<b>rude</b>", needs_review=True, score="0.5000", item__reference="<i>17</i>")
    shown = show()

    assert "&lt;b&gt;rude&lt;/b&gt;" in shown
    assert "&lt;i&gt;17&lt;/i&gt;" in shown
    assert '<td class="num" data-label="score">0.5</td>' in shown
    assert '<b class="look">yes</b>' in shown


def test_it_shows_every_revision(written: Any, show: Any, reviewer: User, colleague: User) -> None:
    first = written(reviewer, "said first", score="0")
    again(first, colleague, "said then", score="1")
    shown = show()

    assert "1 review." in shown
    assert "2 revisions" in shown
    assert shown.index("revision 2, colleague") < shown.index("revision 1, reviewer")
    assert "“said first”" in shown


def test_it_counts_by_person(written: Any, show: Any, reviewer: User, colleague: User) -> None:
    written(reviewer, "a", needs_review=True)
    again(written(reviewer, "b"), colleague, "c")
    shown = show()

    for name, flagged in (("colleague", 0), ("reviewer", 1)):
        figures = f'data-label="items">1</td><td class="num" data-label="needs review">{flagged}</td>'
        assert f'{name}</a></td><td class="num" {figures}' in shown


@pytest.fixture
def four(written: Any, reviewer: User, colleague: User) -> None:
    written(reviewer, "notes-a", needs_review=True, patch__state=State.CONFIRMED)
    written(reviewer, "notes-b", patch__state=State.PARKED)
    written(colleague, "notes-c", needs_review=True, patch__state=State.PARKED)
    written(colleague, "notes-d", patch__state=State.WAITING)


FILTERS = [
    ({}, "abcd"),
    ({"reviewer": "reviewer"}, "ab"),
    ({"reviewer": "nobody"}, ""),
    ({"needs_review": "yes"}, "ac"),
    ({"needs_review": "no"}, "bd"),
    ({"delivery": "parked"}, "bc"),
    ({"delivery": "waiting"}, "d"),
    ({"reviewer": "colleague", "needs_review": "yes", "delivery": "parked"}, "c"),
    ({"reviewer": "reviewer", "delivery": "waiting"}, ""),
    ({"needs_review": "maybe", "delivery": "lost", "score": "1", "reviewer__is_active": "0"}, "abcd"),
    ({"reviewer": ""}, "abcd"),
]


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("query", "found"), FILTERS, ids=str)
def test_it_narrows(show: Any, query: dict[str, str], found: str) -> None:
    shown = show(**query)

    assert [letter for letter in "abcd" if f"notes-{letter}" in shown] == list(found)
    assert f"{len(found)} review{'' if len(found) == 1 else 's'}." in shown


def test_it_keeps_the_filter_in_its_links(written: Any, show: Any, reviewer: User) -> None:
    for _ in range(PAGE_SIZE + 1):
        written(reviewer, "n")
    shown = show(reviewer="reviewer", needs_review="no")

    assert 'href="?reviewer=reviewer&amp;needs_review=no&amp;page=2"' in shown
    assert 'reviews.csv?reviewer=reviewer&amp;needs_review=no"' in shown
    assert 'needs_review=no&amp;page=1">Earlier' in show(reviewer="reviewer", needs_review="no", page=2)


def test_it_shows_no_other_queues_reviews(queue: Queue, show: Any, reviewer: User) -> None:
    other = QueueFactory.create(project=queue.project)
    ReviewFactory.create(item__queue=other, reviewer=reviewer, notes="elsewhere said")

    assert "elsewhere said" not in show()


def test_it_answers_htmx_with_the_results_alone(lead_client: Client, queue: Queue) -> None:
    response = lead_client.get(URL, headers={"HX-Request": "true"})

    assert response.content.decode().strip().startswith('<div id="results">')


def test_it_asks_the_database_as_often_for_many(written: Any, lead_client: Client, reviewer: User) -> None:
    def more(count: int) -> None:
        for _ in range(count):
            again(written(reviewer, "a"), reviewer, "b")

    more(2)
    few = count_queries(lambda: lead_client.get(URL))
    more(20)

    assert count_queries(lambda: lead_client.get(URL)) == few
