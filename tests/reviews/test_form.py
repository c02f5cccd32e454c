"""The form: what it takes, and a sentence for what it does not."""

from decimal import Decimal

import pytest
from django.http import QueryDict

from reviewapp.queues.models import Queue
from reviewapp.reviews.forms import MAX_NOTES_LENGTH, ReviewForm

UNIT = Queue()
FIVE = Queue(score_min=Decimal(1), score_max=Decimal(5), score_step=Decimal(1))


def answered(queue: Queue = UNIT, **fields: str) -> ReviewForm:
    return ReviewForm(queue, {"version": "0", "notes": "x", **fields})


@pytest.mark.parametrize(("typed", "score"), [("0", "0"), ("1", "1"), ("1.0", "1"), ("0,5", "0.5"), (" 0.25 ", "0.25")])
def test_it_takes_a_score(typed: str, score: str) -> None:
    form = answered(score=typed)
    assert form.is_valid()
    assert form.cleaned_data["score"] == Decimal(score)


def test_it_takes_no_score_for_unsure() -> None:
    form = answered(score="")
    assert form.is_valid()
    assert form.cleaned_data["score"] is None


@pytest.mark.parametrize(
    "typed",
    ["NaN", "Infinity", "-inf", "1e400", "1e0", "0x1", "1_0", "٠٫٥", "½", "true", "0.5.5", "9" * 5000, "--1", "+1"],
)
def test_it_refuses_what_is_no_plain_number(typed: str) -> None:
    form = answered(score=typed)
    assert not form.is_valid()
    assert str(form.errors["score"][0]).endswith(".")


@pytest.mark.parametrize(("queue", "typed"), [(UNIT, "1.01"), (UNIT, "-0.1"), (FIVE, "0"), (FIVE, "6")])
def test_it_refuses_a_score_off_the_scale(queue: Queue, typed: str) -> None:
    assert "outside the scale" in answered(queue, score=typed).errors["score"][0]


@pytest.mark.parametrize(("queue", "typed"), [(UNIT, "0.005"), (FIVE, "2.5")])
def test_it_refuses_a_score_between_steps(queue: Queue, typed: str) -> None:
    assert "between two steps" in answered(queue, score=typed).errors["score"][0]


@pytest.mark.parametrize("typed", ["on", "yes", "1", "True"])
def test_it_refuses_another_word_for_needs_review(typed: str) -> None:
    assert not answered(needs_review=typed).is_valid()


@pytest.mark.parametrize("typed", ["", "-1", "1.0", "abc", "١", "9" * 30])
def test_it_refuses_a_tampered_version(typed: str) -> None:
    assert "version" in answered(version=typed).errors


def test_it_refuses_notes_with_a_nul() -> None:
    assert "notes" in answered(notes="a\x00b").errors


def test_it_refuses_notes_with_half_a_character() -> None:
    form = ReviewForm(UNIT, QueryDict("version=0&notes=a%ED%A0%80b"))
    assert "broken character" in form.errors["notes"][0]


def test_it_refuses_notes_that_are_too_long_and_keeps_them() -> None:
    form = answered(notes="n" * (MAX_NOTES_LENGTH + 1))
    assert "Shorten" in form.errors["notes"][0]
    assert len(form.field_values["notes"]) == MAX_NOTES_LENGTH + 1


def test_it_refuses_a_blank_first_review() -> None:
    assert "Nothing is answered" in answered(notes="", score="").non_field_errors()[0]


def test_it_takes_everything_back_from_an_earlier_review() -> None:
    assert answered(notes="", score="", version="3").is_valid()


def test_it_refuses_a_field_that_came_twice() -> None:
    form = ReviewForm(UNIT, QueryDict("version=0&score=0.1&score=0.9"))
    assert "came twice" in form.non_field_errors()[0]


def test_it_leaves_out_fields_it_does_not_know() -> None:
    form = answered(reviewer="somebody else", state="completed")
    assert form.is_valid()
    assert set(form.cleaned_data) == {"score", "notes", "needs_review", "unsure", "version", "personal_data"}
