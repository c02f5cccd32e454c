"""A queue's settings: its name, and the keys that answers are pushed under."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from reviewapp.audit.models import AuditEvent
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric import criteria
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.queues.rubric.option_keys import assign_keys

URL = "/p/support/queues/answers/settings/"
FIELDS = {
    "name": "Answers", "question": "Is it right?", "score_min": "0", "score_max": "1", "score_step": "0.01",
    "key_prefix": "", "score_key": "score", "notes_key": "notes", "needs_review_key": "needs_review",
    "reviewer_key": "reviewer", "review_rev_key": "review_rev",
}  # fmt: skip


@pytest.fixture
def save(queue: Queue, lead_client: Client) -> Any:
    return lambda **changes: lead_client.post(URL, {**FIELDS, **changes})


def test_it_shows_the_current_settings(queue: Queue, lead_client: Client) -> None:
    page = lead_client.get(URL).text

    assert "Settings of Answers" in page
    assert 'value="needs_review"' in page


def test_it_saves(save: Any, queue: Queue) -> None:
    response = save(name="Tone", key_prefix="tone.", keeps_notes_here="on")
    queue.refresh_from_db()

    assert (response.status_code, response["Location"]) == (302, "/p/support/queues/answers/")
    assert queue.name == "Tone"
    assert queue.pushed_keys == ["tone.score", "tone.needs_review", "tone.reviewer", "tone.review_rev"]


def test_it_records_the_changes(save: Any) -> None:
    save(name="Tone", score_key="tone")
    event = AuditEvent.objects.get()

    assert (event.verb, event.target, event.actor_name) == ("changed queue", "queue:answers", "lead")
    assert event.detail == '{"name":"Tone","score_key":"tone"}'


def test_it_does_not_change_the_address_or_the_project(save: Any, queue: Queue) -> None:
    save(slug="other", project="2", id="7")
    queue.refresh_from_db()

    assert (queue.slug, queue.project.slug) == ("answers", "support")


SAME = "Two answers have the same metadata key"
KEY = "Use letters, digits and . _ - only, 60 at most."
PREFIX = "Use letters, digits and . _ - only, 40 at most."
REFUSED: list[tuple[dict[str, str], str]] = [
    ({"name": ""}, "This field is required."),
    ({"name": "x" * 121}, "at most 120 characters"),
    ({"name": "a\x00b"}, "Null characters are not allowed."),
    ({"notes_key": "score"}, SAME),
    ({"review_rev_key": "reviewer", "key_prefix": "a."}, SAME),
    ({"score_key": ""}, "This field is required."),
    ({"score_key": "two words"}, KEY),
    ({"score_key": "a=b"}, KEY),
    ({"score_key": "schlüssel"}, KEY),
    ({"score_key": "a\nb"}, KEY),
    ({"score_key": "x" * 61}, "at most 60 characters"),
    ({"key_prefix": "a b"}, PREFIX),
    ({"key_prefix": '"'}, PREFIX),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=str)
def test_it_refuses(save: Any, queue: Queue, changes: dict[str, str], message: str) -> None:
    before = Queue.objects.values().get()
    response = save(**changes)

    assert response.status_code == 422
    assert escape(message) in response.text
    assert Queue.objects.values().get() == before
    assert not AuditEvent.objects.exists()


def test_it_refuses_a_key_of_a_criterion(save: Any, queue: Queue) -> None:
    Queue.objects.update(criteria=criteria.dump_criteria([Criterion("tone", "Tone", "text")]))

    assert "have the same metadata key “tone”" in save(notes_key="tone").text


def test_it_does_not_change_the_rubric(save: Any, queue: Queue) -> None:
    save(question="Is it kind?", score_max="2", name="Tone")
    queue.refresh_from_db()

    assert (queue.question, queue.score_max, queue.rubric_version) == ("", Decimal(1), 1)


def test_it_refuses_an_empty_form(queue: Queue, lead_client: Client) -> None:
    response = lead_client.post(URL)

    assert response.status_code == 422
    assert response.text.count("This field is required.") == 6


def test_it_keeps_typed_values(save: Any) -> None:
    assert 'value="&lt;b&gt;"' in save(score_key="<b>").text


def test_it_offers_five_quick_scores_on_a_fine_scale(queue: Queue) -> None:
    assert queue.quick_scores == [Decimal(0), Decimal("0.25"), Decimal("0.5"), Decimal("0.75"), Decimal(1)]
    assert queue.score_choices == []


def test_it_offers_every_score_of_a_coarse_scale(queue: Queue) -> None:
    queue.score_min, queue.score_max, queue.score_step = Decimal(-1), Decimal(1), Decimal("0.5")

    assert queue.score_choices == [Decimal(-1), Decimal("-0.5"), Decimal(0), Decimal("0.5"), Decimal(1)]
    assert queue.quick_scores == []


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        (["0", "0.25", "0.5", "0.75", "1"], ["0", "2nd", "3rd", "4th", "1"]),
        (["1", "2", "3"], ["1", "2", "3"]),
        (["good", "bad"], ["1st", "2nd"]),
        (["-1", "0", "1"], ["", "0", "1"]),
        ([str(number) for number in range(11)], [*"0123456789", ""]),
    ],
)
def test_it_gives_each_digit_to_the_value_it_shows(values: list[str], keys: list[str]) -> None:
    assert [option.key_label for option in assign_keys([(value, value, "") for value in values])] == keys
