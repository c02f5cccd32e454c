"""The CSV export of a queue's reviews: every revision with its author and time, and no formula."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import State
from reviewapp.lib import clock
from reviewapp.queues.models import Queue
from tests.factories import ReviewFactory
from tests.queries import count_queries

URL = "/p/support/queues/answers/reviews.csv"


@pytest.fixture
def export(lead_client: Client) -> Any:
    """Download the file for a query; its rows by column name."""

    def get_rows(**query: str) -> list[dict[str, str]]:
        response = lead_client.get(URL, query)
        text = response.getvalue().decode()
        return list(csv.DictReader(StringIO(text, newline="")))

    return get_rows


def test_it_exports_everything_of_a_review(queue: Queue, reviewer: User, export: Any) -> None:
    review = ReviewFactory.create(
        item__queue=queue,
        item__reference="order 17",
        reviewer=reviewer,
        score="0.5",
        needs_review=True,
        notes="a, “b”\nc",
    )

    assert export() == [
        {
            "item": str(review.item_id), "trace_id": str(review.item.trace_id), "reference": "order 17",
            "revision": "1", "is_latest": "yes", "reviewer": "reviewer", "submitted_at": clock.iso(review.submitted_at),
            "undone_at": "", "score": "0.5", "is_unsure": "false", "needs_review": "true",
            "notes": "a, “b”\nc", "delivery": "waiting",
        }
    ]  # fmt: skip


def test_it_exports_missing_answers_as_empty_cells(queue: Queue, export: Any) -> None:
    ReviewFactory.create(item__queue=queue, score=None)
    (row,) = export()

    assert (row["score"], row["needs_review"], row["notes"], row["reference"]) == ("", "false", "", "")


def test_it_exports_every_revision_in_order(queue: Queue, reviewer: User, colleague: User, export: Any) -> None:
    first = ReviewFactory.create(item__queue=queue, reviewer=reviewer, is_latest=False)
    ReviewFactory.create(item__queue=queue, reviewer=reviewer)
    ReviewFactory.create(item=first.item, reviewer=colleague, revision=2, patch=first.patch)

    revisions = [(row["reviewer"], row["revision"], row["is_latest"]) for row in export()]
    assert revisions == [("reviewer", "1", "no"), ("colleague", "2", "yes"), ("reviewer", "1", "yes")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
def test_it_escapes_formulas(queue: Queue, export: Any, start: str) -> None:
    formula = f'{start}HYPERLINK("https://evil.example","click")'
    ReviewFactory.create(item__queue=queue, item__reference=formula, notes=formula, reviewer__username=f"{start[0]}cmd")
    (row,) = export()

    assert row["notes"] == row["reference"] == f"'{formula}"
    assert row["reviewer"].startswith("'")


def test_it_exports_a_negative_score_as_a_number(queue: Queue, export: Any) -> None:
    ReviewFactory.create(item__queue=queue, score="-1.5")

    assert export()[0]["score"] == "-1.5"


FILTERS = [
    ({}, "abc"), ({"reviewer": "reviewer"}, "ab"), ({"needs_review": "yes"}, "b"), ({"delivery": "parked"}, "c"),
    ({"reviewer": "reviewer", "delivery": "parked"}, ""), ({"page": "7"}, "abc"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "notes"), FILTERS, ids=str)
def test_it_filters_like_the_page(
    queue: Queue, reviewer: User, colleague: User, export: Any, query: dict[str, str], notes: str
) -> None:
    ReviewFactory.create(item__queue=queue, reviewer=reviewer, notes="a")
    ReviewFactory.create(item__queue=queue, reviewer=reviewer, notes="b", needs_review=True)
    ReviewFactory.create(item__queue=queue, reviewer=colleague, notes="c", patch__state=State.PARKED)

    assert "".join(row["notes"] for row in export(**query)) == notes


def test_it_is_a_download_that_is_not_cached(queue: Queue, lead_client: Client) -> None:
    response = lead_client.get(URL)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="answers-reviews.csv"'
    assert response["Cache-Control"] == "no-store, private"


def test_it_exports_no_reviews_of_another_queue(queue: Queue, export: Any) -> None:
    ReviewFactory.create()

    assert export() == []


def test_it_needs_no_more_queries_for_more_reviews(queue: Queue, export: Any) -> None:
    ReviewFactory.create(item__queue=queue)
    query_count = count_queries(export)
    ReviewFactory.create_batch(30, item__queue=queue)

    assert count_queries(export) == query_count
    assert len(export()) == 31
