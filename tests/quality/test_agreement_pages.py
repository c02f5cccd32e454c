"""How well reviewers agree, as leads see it."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from reviewapp.accounts.models import Project, User
from reviewapp.lib import canonical_json
from reviewapp.quality.agreement_report import report_pairs, report_question
from reviewapp.quality.answer_table import AnswerTable, load_tables
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric.criteria import Criterion, Option, dump_criteria
from reviewapp.reviews.models import Review
from tests.factories import QueueFactory, QueueItemFactory, UserFactory

URL = "/p/support/queues/double/agreement/"
CRITERIA = [
    Criterion("ok", "Is it right?", "yes_no"),
    Criterion("tone", "Tone", "choice", options=(Option("kind"), Option("rude"))),
    Criterion("faults", "Faults", "choices", options=(Option("date"), Option("name"))),
]


@pytest.fixture
def queue(project: Project) -> Queue:
    return QueueFactory.create(
        project=project, slug="double", reviewers_per_item=2, criteria=dump_criteria(CRITERIA),
    )  # fmt: skip


def review(queue: Queue, answers: dict[User, object], *, key: str = "ok", is_unsure: bool = False) -> QueueItem:
    """An item with an answer of each person."""
    item = QueueItemFactory.create(queue=queue, review_count=len(answers))
    for revision, (user, answer) in enumerate(answers.items(), 1):
        Review.objects.create(
            item=item, revision=revision, reviewer=user, score=Decimal(1), is_unsure=is_unsure,
            answers=canonical_json.dumps({key: answer}),
        )  # fmt: skip
    return item


def get_table(queue: Queue, label: str) -> AnswerTable:
    return next(table for table in load_tables(queue) if table.label == label)


def test_it_computes_the_textbook_figures(queue: Queue, reviewer: User, colleague: User) -> None:
    for count, first, second in [(20, True, True), (5, True, False), (10, False, True), (15, False, False)]:
        for _ in range(count):
            review(queue, {reviewer: first, colleague: second})
    table = get_table(queue, "Is it right?")
    [pair] = report_pairs(table)
    report = report_question(table)
    assert (report.item_count, report.differing_count, report.most_frequent) == (50, 15, "yes")
    assert pair.kappa is not None
    assert pair.kappa.value == pytest.approx(0.4)
    assert pair.ac1 is not None
    assert pair.ac1.value == pytest.approx(0.40594059)
    assert pair.raw is not None
    assert pair.raw.value == report.raw.value == 0.7  # type: ignore[union-attr]
    assert pair.raw.interval is not None
    assert 0.5 < pair.raw.interval.low < 0.7 < pair.raw.interval.high < 0.85


def test_it_shows_no_figure_of_few_items(queue: Queue, reviewer: User, colleague: User, lead_client: Client) -> None:
    for _ in range(9):
        review(queue, {reviewer: True, colleague: False})
    table = get_table(queue, "Is it right?")
    assert (report_question(table).raw, report_question(table).alpha) == (None, None)
    assert report_pairs(table)[0].kappa is None
    assert "Too few shared items" in lead_client.get(URL).text


def test_it_says_that_answers_do_not_vary(queue: Queue, reviewer: User, colleague: User, lead_client: Client) -> None:
    for _ in range(12):
        review(queue, {reviewer: True, colleague: True})
    assert "no variation" in lead_client.get(f"{URL}?question=answer.ok").text


def test_it_leaves_out_unsure_answers(queue: Queue, reviewer: User, colleague: User) -> None:
    review(queue, {reviewer: True, colleague: False}, is_unsure=True)
    assert get_table(queue, "Is it right?").rows == {}


@pytest.mark.parametrize(("label", "value"), [("Is it right?", "yes"), ("Tone", True), ("Faults", "date"), ("Tone", 1)])
def test_it_leaves_out_answers_of_another_kind(
    queue: Queue, reviewer: User, colleague: User, label: str, value: object
) -> None:
    key = next(criterion.key for criterion in CRITERIA if criterion.label == label)
    review(queue, {reviewer: value, colleague: value}, key=key)
    assert get_table(queue, label).rows == {}


def test_it_lists_the_items_that_it_counts(queue: Queue, reviewer: User, colleague: User, lead_client: Client) -> None:
    same = review(queue, {reviewer: ["date"], colleague: ["date"]}, key="faults")
    differing = review(queue, {reviewer: ["date", "name"], colleague: ["name"]}, key="faults")
    page = lead_client.get(f"{URL}items/?question=answer.faults").text
    assert "2 items" in page
    assert page.index(f"/items/{differing.pk}/") < page.index(f"/items/{same.pk}/")
    pair = f"first={reviewer.pk}&second={colleague.pk}"
    filtered = lead_client.get(f"{URL}items/?question=answer.faults&{pair}&only=differing").text
    assert "1 item " in filtered
    assert f"/items/{same.pk}/" not in filtered
    assert "date, name" in filtered


@pytest.mark.parametrize("query", ["question=none", "question=%00", "question=" + "x" * 3000])
def test_it_refuses_an_unknown_question(queue: Queue, lead_client: Client, query: str) -> None:
    assert lead_client.get(f"{URL}?{query}").status_code == 404
    assert lead_client.get(f"{URL}items/?{query}").status_code == 404


@pytest.mark.parametrize("query", ["first=x&second=y", "first=1&second=999999999999", "page=x", "page=9999"])
def test_it_accepts_any_pair_and_page(queue: Queue, lead_client: Client, query: str) -> None:
    assert lead_client.get(f"{URL}items/?{query}").status_code == 200


def test_it_shows_nothing_to_reviewers(queue: Queue, reviewer_client: Client) -> None:
    assert reviewer_client.get(URL).status_code == 403
    assert reviewer_client.get(f"{URL}items/").status_code == 403


def test_it_asks_no_more_queries_for_more_answers(
    queue: Queue, reviewer: User, colleague: User, lead_client: Client
) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert lead_client.get(URL).status_code == 200
            assert lead_client.get(f"{URL}items/").status_code == 200
        return len(queries)

    review(queue, {reviewer: True, colleague: False})
    count = count_queries()
    for _ in range(12):
        review(queue, {reviewer: True, colleague: False, UserFactory.create(): True})
    assert count_queries() == count
