"""Criteria: what each kind accepts, what it refuses, and what it pushes."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import canonical_json
from reviewapp.queues.rubric import answer_values, criteria
from reviewapp.queues.rubric.answer_values import UNCHANGED
from reviewapp.queues.rubric.criteria import Criterion, Option

TONE = Criterion("tone", "Tone", "choice", options=(Option("kind"), Option("curt", "Short to the point of rude.")))
FAULTS = Criterion("faults", "What went wrong", "choices", options=(Option("invented"), Option("left out")))
STARS = Criterion("stars", "Stars", "number", low=Decimal(0), high=Decimal(10), step=Decimal("0.5"))
RIGHT = Criterion("right", "Right?", "yes_no", is_required=True)
WHY = Criterion("why", "Why", "text", help="One sentence.")
BETTER = Criterion("better", "A better answer", "correction")
TAGS = Criterion("tags", "Tags", "tags")
ALL = (TONE, FAULTS, STARS, RIGHT, WHY, BETTER, TAGS)

ACCEPTED = [
    (TONE, ["curt"], "curt"), (TONE, [""], None), (FAULTS, ["left out", "invented"], ["invented", "left out"]),
    (FAULTS, [], None), (STARS, [" 2,50 "], 2.5), (STARS, ["3.0"], 3), (RIGHT, ["no"], False),
    (WHY, ["a\r\nb "], "a\nb"),
    (TAGS, ["slow, wrong\nslow,"], ["slow", "wrong"]), (TAGS, [" , "], None), (BETTER, [""], None),
]  # fmt: skip


@pytest.mark.parametrize(("criterion", "sent", "value"), ACCEPTED)
def test_it_accepts(criterion: Criterion, sent: list[str], value: Any) -> None:
    assert answer_values.clean_answer(criterion, sent) == value


REFUSED = [
    (TONE, ["cold"], "not one of the options"), (TONE, ["kind", "curt"], "More than one answer"),
    (FAULTS, ["x"], "not one"),
    (STARS, ["NaN"], "not a number. Enter a number from 0 up to 10 in steps of 0.5."), (STARS, ["1e1"], "not a number"),
    (STARS, ["11"], "out of range"), (STARS, ["0.25"], "between two steps"), (RIGHT, ["true"], "yes or no"),
    (WHY, ["a\x00"], "broken character"), (WHY, ["\ud800"], "broken"), (WHY, ["�"], "broken"),
    (TAGS, ["x" * 61], "not a valid tag"),
    (WHY, ["x" * 20_001], "Shorten"), (TAGS, [",".join(map(str, range(21)))], "maximum is 20"),
]  # fmt: skip


@pytest.mark.parametrize(("criterion", "sent", "message"), REFUSED)
def test_it_refuses(criterion: Criterion, sent: list[str], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        answer_values.clean_answer(criterion, sent)
    assert message in raised.value.messages[0]
    assert raised.value.messages[0].endswith(".")


def test_it_counts_the_words_of_a_correction() -> None:
    value = answer_values.clean_answer(BETTER, ["Paris is\r\nthe capital."], "Paris was the capital.")
    assert value == {"edits": 1, "from": "Paris was the capital.", "text": "Paris is\nthe capital."}
    assert answer_values.answer_metadata(BETTER, value) == {"better": "Paris is\nthe capital.", "better_edits": 1}


def test_it_treats_an_unchanged_correction_as_no_answer() -> None:
    value = answer_values.clean_answer(BETTER, ["Same.\r\n"], "Same.")
    assert not answer_values.is_answered(value)
    assert answer_values.answer_metadata(BETTER, value) == {"better": None, "better_edits": 0}


@pytest.mark.parametrize("criterion", ALL)
def test_it_pushes_null_when_there_is_no_answer(criterion: Criterion) -> None:
    assert answer_values.answer_metadata(criterion, None) == dict.fromkeys(criterion.metadata_keys)


def test_it_parses_what_it_dumps() -> None:
    text = criteria.dump_criteria(ALL)
    assert criteria.parse_criteria(text) == ALL
    assert canonical_json.dumps(canonical_json.loads(text)) == text


INVALID = [
    ([TONE, TONE], "“Tone” and “Tone” have the same metadata key “tone”"),
    ([Criterion("score", "Mark", "text")], "“Mark” and the score have the same metadata key “score”"),
    ([BETTER, Criterion("better_edits", "Edits", "number")], "the same metadata key “better_edits”"),
    ([Criterion("two words", "X", "text")], "Use letters"),
    ([Criterion("x" * 57, "X", "correction")], "Use letters"),
    ([Criterion("x", "X", "choice")], "has no options"),
    ([Criterion("x", "X", "choice", options=(Option("a"), Option("a")))], "30 different options"),
    ([Criterion("x", "X", "number", low=Decimal(1), high=Decimal(1))], "above the lowest"),
    ([Criterion("x", "X", "number", step=Decimal(0))], "above 0"),
    ([Criterion(f"k{n}", "X", "text") for n in range(21)], "maximum is 20"),
]


@pytest.mark.parametrize(("invalid", "message"), INVALID)
def test_it_refuses_invalid_criteria(invalid: list[Criterion], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        criteria.validate_criteria(invalid, {"score": "the score"})
    assert message in raised.value.messages[0]


# Texts that the mirror can store: no NUL, no lone surrogate.
ORIGINALS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)


@given(st.sampled_from(ALL), st.lists(st.text(max_size=40), max_size=3), ORIGINALS)
def test_it_turns_any_text_into_a_value_or_an_error(criterion: Criterion, sent: list[str], original: str) -> None:
    try:
        value = answer_values.clean_answer(criterion, sent, original)
    except ValidationError:
        return
    text = canonical_json.dumps({"value": value, **answer_values.answer_metadata(criterion, value)})
    assert canonical_json.loads(text)["value"] == value
    assert answer_values.clean_answer(
        criterion, answer_values.to_form_values(criterion, value, original), original
    ) in (
        value,
        UNCHANGED,
    )
