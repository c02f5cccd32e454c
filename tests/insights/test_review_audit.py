"""The list of a project's reviews across queues: filters, pages, export."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.lib import canonical_json, clock
from reviewapp.queues.models import Queue
from reviewapp.reviews.missing_queues import set_missing_queues
from reviewapp.reviews.models import Review
from reviewapp.reviews.review_filter import PAGE_SIZE, Cursor, ReviewFilter, load_page
from reviewapp.traces.filter_models import SavedView
from tests.factories import QueueFactory, ReviewFactory, TraceFactory
from tests.queries import count_queries

URL = "/p/support/reviews/"


@pytest.fixture
def reviews(project: Project, queue: Queue, reviewer: User, colleague: User) -> list[Review]:
    """Four reviews in two queues, of which the last two disagree about an item."""
    other = QueueFactory.create(project=project, slug="tone", name="Tone")
    Queue.objects.filter(pk=queue.pk).update(reviewers_per_item=2)
    queue.refresh_from_db()
    answers = canonical_json.dumps({"kind": ["tone", "facts"], "steps": 3, "is_rude": True, "why": "so"})
    day = timedelta(days=1)
    first = ReviewFactory.create(
        item__queue=queue, reviewer=reviewer, notes="notes-a 100%", answers=answers, submitted_at=clock.now() - 9 * day
    )
    second = ReviewFactory.create(item__queue=other, reviewer=colleague, notes="notes-b", is_unsure=True, score=None)
    third = ReviewFactory.create(item__queue=queue, reviewer=reviewer, notes="notes-c", score="0.2", patch=None)
    fourth = ReviewFactory.create(
        item=third.item, reviewer=colleague, notes="notes-d", score="0.9", revision=2, accepted_at=clock.now()
    )
    return [first, second, third, fourth]


def list_letters(page: str) -> str:
    return "".join(letter for letter in "abcd" if f"notes-{letter}" in page)


def test_it_lists_reviews_across_queues(reviews: list[Review], lead_client: Client) -> None:
    TraceFactory.create(
        project=reviews[0].item.queue.project,
        trace_id=reviews[0].item.trace_id,
        name="refund",
        excerpt=("Where is it?", ""),
    )
    page = lead_client.get(URL).text
    assert list_letters(page) == "abcd"
    assert "4 reviews." in page
    assert "refund" in page
    assert "Where is it?" in page


@pytest.mark.parametrize(
    ("query", "letters"),
    [
        ({"queue": "tone"}, "b"), ({"queue": "nowhere"}, ""), ({"reviewer": "reviewer"}, "ac"),
        ({"unsure": "yes"}, "b"), ({"min": "0.5"}, "ad"), ({"min": "0.1", "max": "0.5"}, "c"),
        ({"until": (clock.now() - timedelta(days=5)).date().isoformat()}, "a"),
        ({"since": (clock.now() - timedelta(days=5)).date().isoformat()}, "bcd"),
        ({"disagreement": "yes"}, "cd"), ({"delivery": "none"}, "c"), ({"accepted": "yes"}, "d"),
        ({"notes": "NOTES-C"}, "c"), ({"notes": "100%"}, "a"), ({"notes": "a_1"}, ""),
        ({"key": "kind", "value": "facts"}, "a"), ({"key": "steps", "value": "3"}, "a"),
        ({"key": "is_rude", "value": "true"}, "a"), ({"key": "why", "value": "so"}, "a"),
        ({"key": "why", "value": "s"}, ""), ({"key": "kind"}, "abcd"),
        ({"min": "x", "since": "2026-02-30", "unsure": "maybe", "until": "9999-12-31"}, "abcd"),
    ],
    ids=str,
)  # fmt: skip
def test_it_filters(reviews: list[Review], lead_client: Client, query: dict[str, str], letters: str) -> None:
    page = lead_client.get(URL, query).text
    assert list_letters(page) == letters


def test_it_shows_no_reviews_of_another_project(reviews: list[Review], outsider_client: Client) -> None:
    assert list_letters(outsider_client.get("/p/elsewhere/reviews/?queue=tone").text) == ""


def test_it_pages_by_a_cursor(reviews: list[Review], queue: Queue, lead_client: Client) -> None:
    ReviewFactory.create_batch(PAGE_SIZE - 3, item__queue=queue)
    Review.objects.update(submitted_at=clock.now())
    page = lead_client.get(URL).text
    assert list_letters(page) == "bcd"
    cursor = Cursor.of(Review.objects.get(pk=reviews[1].pk))
    assert f"before={cursor}" in page
    assert list_letters(lead_client.get(URL, {"before": str(cursor)}).text) == "a"


def test_it_searches_a_bounded_number_of_reviews(reviews: list[Review], project: Project) -> None:
    notes_filter = ReviewFilter(notes="notes-a")
    first = load_page(notes_filter, project, None, window=3)
    assert (first.reviews, first.searched_until) == ([], reviews[1].submitted_at)
    second = load_page(notes_filter, project, Cursor.parse(first.next), window=3)
    assert (second.reviews, second.searched_until) == ([reviews[0]], None)


def test_it_exports_exactly_the_rows(reviews: list[Review], lead_client: Client) -> None:
    response: Any = lead_client.get("/p/support/reviews.csv", {"reviewer": "colleague"})
    rows = list(csv.DictReader(StringIO(response.getvalue().decode(), newline="")))
    assert [(row["notes"], row["queue"]) for row in rows] == [("notes-d", "answers"), ("notes-b", "tone")]


def test_it_needs_no_more_queries_for_more_reviews(queue: Queue, reviewer: User, lead_client: Client) -> None:
    ReviewFactory.create_batch(2, item__queue=queue, reviewer=reviewer)
    query_count = count_queries(lambda: lead_client.get(URL))
    ReviewFactory.create_batch(20, item__queue=queue, reviewer=reviewer)
    assert count_queries(lambda: lead_client.get(URL)) == query_count


def test_it_is_for_leads(reviewer_client: Client) -> None:
    assert reviewer_client.get(URL).status_code == 403


def test_it_finds_the_queue_of_an_older_release_s_reviews(reviews: list[Review], lead_client: Client) -> None:
    Review.objects.update(queue=None)
    set_missing_queues()
    assert list_letters(lead_client.get(URL).text) == "abcd"


def test_it_saves_a_view(reviews: list[Review], lead: User, lead_client: Client, admin_client: Client) -> None:
    form_data = {"name": "Mine <b>", "query": "reviewer=reviewer&before=1_1"}
    page = lead_client.post(f"{URL}views/save/", form_data, follow=True).text
    assert "Mine &lt;b&gt;" in page
    assert list_letters(page) == "ac"
    view = SavedView.objects.get()
    assert (view.subject, view.query, view.owner) == ("reviews", "reviewer=reviewer", lead)
    assert "Mine" not in admin_client.get(URL).text
    assert "Mine" not in lead_client.get("/p/support/traces/views/").text
    assert admin_client.post(f"{URL}views/{view.pk}/delete/").status_code == 404
    lead_client.post(f"{URL}views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_it_keeps_the_filter_of_a_view_it_refuses(reviews: list[Review], lead_client: Client) -> None:
    page = lead_client.post(f"{URL}views/save/", {"name": " ", "query": "queue=tone"}, follow=True).text
    assert "Enter a name for the view." in page
    assert list_letters(page) == "b"


def test_it_opens_items_with_the_list_as_context(
    reviews: list[Review], lead_client: Client, reviewer_client: Client
) -> None:
    Queue.objects.update(reviewers_per_item=1)
    first, second, third = (reviews[number] for number in (3, 1, 0))
    Review.objects.filter(pk=reviews[2].pk).update(is_latest=False)
    page = lead_client.get(URL).text
    url = f"/p/support/items/{second.item_id}/"
    assert f'href="{url}?list=at%3D{second.pk}"' in page
    page = lead_client.get(url, {"list": f"at={second.pk}"}).text
    assert "Review 2 of the list" in page
    assert f'href="/p/support/items/{first.item_id}/?list=at%3D{first.pk}" aria-label="Previous item"' in page
    assert f'href="/p/support/items/{third.item_id}/?list=at%3D{third.pk}" aria-label="Next item"' in page
    assert "of the list" not in reviewer_client.get(url, {"list": f"at={second.pk}"}).text
    assert "of the list" not in lead_client.get(url, {"list": f"at={first.pk}"}).text
    response: Any = lead_client.post(url, {"score": "1", "version": "1", "list": f"at={second.pk}"})
    assert response.url == f"/p/support/items/{third.item_id}/?list=at%3D{third.pk}"
