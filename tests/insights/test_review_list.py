"""The list of a queue's reviews, as a lead filters and reads it."""

import re
from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import State
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review
from reviewapp.reviews.review_filter import PAGE_SIZE
from tests.factories import PatchFactory, QueueFactory, ReviewFactory
from tests.queries import count_queries

URL = "/p/support/queues/answers/reviews/"


@pytest.fixture
def create_review(queue: Queue) -> Any:
    """Create a review of a new item in the queue, by this person with these notes."""
    return lambda user, notes, **fields: ReviewFactory.create(item__queue=queue, reviewer=user, notes=notes, **fields)


@pytest.fixture
def get_page(lead_client: Client) -> Any:
    """Get the page for a query."""

    def get(**query: str | int) -> str:
        response = lead_client.get(URL, query)
        assert response.status_code == 200
        return response.text

    return get


def add_revision(first: Review, user: User, notes: str, **fields: object) -> Review:
    """Add the next revision of a review."""
    Review.objects.filter(item=first.item).update(is_latest=False)
    patch = PatchFactory.create(project=first.item.queue.project, trace_id=first.item.trace_id)
    return ReviewFactory.create(
        item=first.item, reviewer=user, notes=notes, revision=first.revision + 1, patch=patch, **fields
    )


def test_it_shows_the_newest_first(create_review: Any, get_page: Any, reviewer: User) -> None:
    create_review(reviewer, "written first")
    create_review(reviewer, "written second")
    page = get_page()

    assert 0 < page.index("written second") < page.index("written first")
    assert "2 reviews." in page


def test_it_says_that_no_review_matches(get_page: Any, queue: Queue) -> None:
    assert "No review matches." in get_page()


def test_it_shows_the_answers(create_review: Any, get_page: Any, reviewer: User) -> None:
    create_review(reviewer, "<b>rude</b>", needs_review=True, score="0.5000", item__reference="<i>17</i>")
    page = get_page()

    assert "&lt;b&gt;rude&lt;/b&gt;" in page
    assert "&lt;i&gt;17&lt;/i&gt;" in page
    assert '<td class="num" data-label="score">0.5</td>' in page
    assert '<b class="look">yes</b>' in page


def test_it_shows_every_revision(create_review: Any, get_page: Any, reviewer: User, colleague: User) -> None:
    first = create_review(reviewer, "first notes", score="0")
    add_revision(first, colleague, "second notes", score="1")
    page = get_page()

    assert "1 review." in page
    assert "2 revisions" in page
    assert page.index("revision 2, colleague") < page.index("revision 1, reviewer")
    assert '“<bdi dir="auto">first notes</bdi>”' in page


def test_it_counts_reviews_by_reviewer(create_review: Any, get_page: Any, reviewer: User, colleague: User) -> None:
    create_review(reviewer, "a", needs_review=True)
    add_revision(create_review(reviewer, "b"), colleague, "c")
    page = get_page()

    rows = re.sub(r">\s+<", "><", page)
    for name, flagged in (("colleague", 0), ("reviewer", 1)):
        figures = f'data-label="items">1</td><td class="num" data-label="needs review">{flagged}</td>'
        assert f'{name}</a></td><td class="num" {figures}' in rows


@pytest.fixture
def four_reviews(create_review: Any, reviewer: User, colleague: User) -> None:
    create_review(reviewer, "notes-a", needs_review=True, patch__state=State.CONFIRMED)
    create_review(reviewer, "notes-b", patch__state=State.PARKED)
    create_review(colleague, "notes-c", needs_review=True, patch__state=State.PARKED)
    create_review(colleague, "notes-d", patch__state=State.WAITING)


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


@pytest.mark.usefixtures("four_reviews")
@pytest.mark.parametrize(("query", "letters"), FILTERS, ids=str)
def test_it_filters_reviews(get_page: Any, query: dict[str, str], letters: str) -> None:
    page = get_page(**query)

    assert [letter for letter in "abcd" if f"notes-{letter}" in page] == list(letters)
    assert f"{len(letters)} review{'' if len(letters) == 1 else 's'}." in page


def test_it_keeps_the_filter_in_its_links(create_review: Any, get_page: Any, reviewer: User) -> None:
    for _ in range(PAGE_SIZE + 1):
        create_review(reviewer, "n")
    page = get_page(reviewer="reviewer", needs_review="no")

    before = re.search(r'href="\?reviewer=reviewer&amp;needs_review=no&amp;before=(\d+_\d+)">Next', page)
    assert before is not None
    assert 'reviews.csv?reviewer=reviewer&amp;needs_review=no"' in page
    next_page = get_page(reviewer="reviewer", needs_review="no", before=before[1])
    assert 'needs_review=no">Newest' in next_page
    assert next_page.count('name="review"') == 1


def test_it_shows_no_reviews_of_another_queue(queue: Queue, get_page: Any, reviewer: User) -> None:
    other = QueueFactory.create(project=queue.project)
    ReviewFactory.create(item__queue=other, reviewer=reviewer, notes="notes elsewhere")

    assert "notes elsewhere" not in get_page()


def test_it_returns_only_the_results_to_htmx(lead_client: Client, queue: Queue) -> None:
    response = lead_client.get(URL, headers={"HX-Request": "true"})

    assert response.text.strip().startswith('<div id="results">')


def test_it_needs_no_more_queries_for_more_reviews(create_review: Any, lead_client: Client, reviewer: User) -> None:
    def create_reviews(count: int) -> None:
        for _ in range(count):
            add_revision(create_review(reviewer, "a"), reviewer, "b")

    create_reviews(2)
    query_count = count_queries(lambda: lead_client.get(URL))
    create_reviews(20)

    assert count_queries(lambda: lead_client.get(URL)) == query_count
