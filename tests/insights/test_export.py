"""A queue's reviews as a file: every revision, its author and time, and no cell that a spreadsheet would run."""

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
    """The file's rows for this query, each by its column names."""

    def get(**query: str) -> list[dict[str, str]]:
        response = lead_client.get(URL, query)
        text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
        return list(csv.DictReader(StringIO(text, newline="")))

    return get


def test_it_holds_everything_of_a_review(queue: Queue, reviewer: User, export: Any) -> None:
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
            "score": "0.5", "needs_review": "true", "notes": "a, “b”\nc", "delivery": "waiting",
        }
    ]  # fmt: skip


def test_it_leaves_empty_what_was_not_said(queue: Queue, export: Any) -> None:
    ReviewFactory.create(item__queue=queue, score=None)
    (row,) = export()

    assert (row["score"], row["needs_review"], row["notes"], row["reference"]) == ("", "false", "", "")


def test_it_holds_every_revision_in_order(queue: Queue, reviewer: User, colleague: User, export: Any) -> None:
    first = ReviewFactory.create(item__queue=queue, reviewer=reviewer, is_latest=False)
    ReviewFactory.create(item__queue=queue, reviewer=reviewer)
    ReviewFactory.create(item=first.item, reviewer=colleague, revision=2, patch=first.patch)

    told = [(row["reviewer"], row["revision"], row["is_latest"]) for row in export()]
    assert told == [("reviewer", "1", "no"), ("colleague", "2", "yes"), ("reviewer", "1", "yes")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
def test_it_holds_no_formula(queue: Queue, export: Any, start: str) -> None:
    formula = f'{start}HYPERLINK("https://evil.example","click")'
    ReviewFactory.create(item__queue=queue, item__reference=formula, notes=formula, reviewer__username=f"{start[0]}cmd")
    (row,) = export()

    assert row["notes"] == row["reference"] == f"'{formula}"
    assert row["reviewer"].startswith("'")


def test_it_keeps_a_negative_score_a_number(queue: Queue, export: Any) -> None:
    ReviewFactory.create(item__queue=queue, score="-1.5")

    assert export()[0]["score"] == "-1.5"


FILTERS = [
    ({}, "abc"), ({"reviewer": "reviewer"}, "ab"), ({"needs_review": "yes"}, "b"), ({"delivery": "parked"}, "c"),
    ({"reviewer": "reviewer", "delivery": "parked"}, ""), ({"page": "7"}, "abc"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "found"), FILTERS, ids=str)
def test_it_narrows_as_the_page_does(
    queue: Queue, reviewer: User, colleague: User, export: Any, query: dict[str, str], found: str
) -> None:
    ReviewFactory.create(item__queue=queue, reviewer=reviewer, notes="a")
    ReviewFactory.create(item__queue=queue, reviewer=reviewer, notes="b", needs_review=True)
    ReviewFactory.create(item__queue=queue, reviewer=colleague, notes="c", patch__state=State.PARKED)

    assert "".join(row["notes"] for row in export(**query)) == found


def test_it_is_a_file_to_keep_and_nobody_elses_to_cache(queue: Queue, lead_client: Client) -> None:
    response = lead_client.get(URL)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="answers-reviews.csv"'
    assert response["Cache-Control"] == "no-store, private"


def test_it_holds_no_other_queues_reviews(queue: Queue, export: Any) -> None:
    ReviewFactory.create()

    assert export() == []


def test_it_asks_the_database_as_often_for_many(queue: Queue, export: Any) -> None:
    ReviewFactory.create(item__queue=queue)
    few = count_queries(export)
    ReviewFactory.create_batch(30, item__queue=queue)

    assert count_queries(export) == few
    assert len(export()) == 31
