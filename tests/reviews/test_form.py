"""The review form: what it accepts, and a sentence for each refusal."""

from decimal import Decimal

import pytest
from django.http import QueryDict

from reviewapp.queues.models import Queue
from reviewapp.reviews.forms import MAX_NOTES_LENGTH, ReviewForm

# The default scale.
ZERO_TO_ONE = Queue()
ONE_TO_FIVE = Queue(score_min=Decimal(1), score_max=Decimal(5), score_step=Decimal(1))


def build_form(queue: Queue = ZERO_TO_ONE, **fields: str) -> ReviewForm:
    return ReviewForm(queue, {"version": "0", "notes": "x", **fields})


@pytest.mark.parametrize(("text", "score"), [("0", "0"), ("1", "1"), ("1.0", "1"), ("0,5", "0.5"), (" 0.25 ", "0.25")])
def test_it_accepts_a_score(text: str, score: str) -> None:
    form = build_form(score=text)
    assert form.is_valid()
    assert form.cleaned_data["score"] == Decimal(score)


def test_it_accepts_an_empty_score() -> None:
    form = build_form(score="")
    assert form.is_valid()
    assert form.cleaned_data["score"] is None


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-inf",
        "1e400",
        "1e0",
        "0x1",
        "1_0",
        "٠٫٥",
        "½",
        "true",
        "0.5.5",
        "9" * 5000,
        "--1",
        "+1",
        "-0",
    ],
)
def test_it_refuses_anything_but_a_plain_number(text: str) -> None:
    form = build_form(score=text)
    assert not form.is_valid()
    assert str(form.errors["score"][0]).endswith(".")


@pytest.mark.parametrize(
    ("queue", "text"), [(ZERO_TO_ONE, "1.01"), (ZERO_TO_ONE, "-0.1"), (ONE_TO_FIVE, "0"), (ONE_TO_FIVE, "6")]
)
def test_it_refuses_a_score_outside_the_scale(queue: Queue, text: str) -> None:
    assert "outside the scale" in build_form(queue, score=text).errors["score"][0]


@pytest.mark.parametrize(("queue", "text"), [(ZERO_TO_ONE, "0.005"), (ONE_TO_FIVE, "2.5")])
def test_it_refuses_a_score_between_steps(queue: Queue, text: str) -> None:
    assert "between two steps" in build_form(queue, score=text).errors["score"][0]


@pytest.mark.parametrize("text", ["on", "yes", "1", "True"])
def test_it_refuses_an_unknown_value_of_needs_review(text: str) -> None:
    assert not build_form(needs_review=text).is_valid()


@pytest.mark.parametrize("text", ["", "-1", "1.0", "abc", "١", "9" * 30])
def test_it_refuses_a_tampered_version(text: str) -> None:
    assert "version" in build_form(version=text).errors


def test_it_refuses_notes_with_a_nul() -> None:
    assert "notes" in build_form(notes="a\x00b").errors


def test_it_refuses_notes_with_half_a_surrogate_pair() -> None:
    form = ReviewForm(ZERO_TO_ONE, QueryDict("version=0&notes=a%ED%A0%80b"))
    assert "broken character" in form.errors["notes"][0]


def test_it_refuses_notes_that_are_too_long_and_keeps_them() -> None:
    form = build_form(notes="n" * (MAX_NOTES_LENGTH + 1))
    assert "Shorten" in form.errors["notes"][0]
    assert len(form.field_values["notes"]) == MAX_NOTES_LENGTH + 1


def test_it_refuses_a_blank_first_review() -> None:
    assert "You have not answered anything yet" in build_form(notes="", score="").non_field_errors()[0]


def test_it_accepts_a_blank_later_revision() -> None:
    assert build_form(notes="", score="", version="3").is_valid()


def test_it_refuses_a_field_that_was_sent_twice() -> None:
    form = ReviewForm(ZERO_TO_ONE, QueryDict("version=0&score=0.1&score=0.9"))
    assert "sent twice" in form.non_field_errors()[0]


def test_it_refuses_unknown_fields_and_takes_nothing_from_them() -> None:
    form = build_form(reviewer="somebody else", state="completed")
    assert not form.is_valid()
    assert set(form.cleaned_data) == {"score", "notes", "needs_review", "unsure", "version", "personal_data"}
