"""Compare two texts word by word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import word_diff
from reviewapp.lib.word_diff import MAX_COMPARISONS, Budget, count_changed_words, diff
from reviewapp.reviews.templatetags.reviews import NOT_COMPARED, render_diff
from tests.regex_steps import count_steps

WORDS = st.lists(st.sampled_from("a b c d".split()), max_size=12).map(" ".join)


def test_it_lists_removed_and_added_words() -> None:
    segments = [tuple(segment) for segment in diff("the old grey cat", "the cat sat")]
    assert segments == [("same", "the"), ("removed", " old grey"), ("same", " cat"), ("added", " sat")]


def test_it_counts_a_replaced_word_once() -> None:
    assert count_changed_words("it was right", "it is right") == 1


def test_it_ignores_white_space() -> None:
    assert count_changed_words("a  b\n", "a\nb") == 0


def test_it_skips_comparing_the_middle_of_long_texts() -> None:
    half = int(MAX_COMPARISONS**0.5) + 1
    old, new = "same " + "x y " * half, "same " + "z w " * half
    assert count_changed_words(old, new) == 2 * half
    assert [segment.kind for segment in diff(old, new)] == ["same", "removed", "added"]


@given(WORDS, WORDS)
def test_it_rebuilds_the_new_text(before: str, after: str) -> None:
    segments = diff(before, after)
    assert "".join(segment.text for segment in segments if segment.kind != "removed").split() == after.split()
    assert {word for segment in segments if segment.kind == "removed" for word in segment.text.split()} <= set(
        before.split()
    )
    assert (count_changed_words(before, after) == 0) == (before.split() == after.split())


@pytest.mark.parametrize("word_count", [10_000, 40_000])
def test_it_stops_comparing_when_the_budget_is_spent(word_count: int) -> None:
    budget = Budget()
    # Below 200 words, SequenceMatcher compares the most frequent ones too.
    result = diff("a b " * word_count, "b a a b " * 45 + "c", budget)
    assert result.is_cut
    assert -200 < budget.comparisons < 0
    assert [segment.kind for segment in result] == ["removed", "added"]


def test_it_says_that_texts_were_not_compared() -> None:
    assert render_diff(diff("a b", "b a", Budget(1))).endswith(f'<p class="second">{NOT_COMPARED}</p>')
    assert NOT_COMPARED not in render_diff(diff("the old cat", "the cat"))


def test_it_shares_a_budget_between_the_texts_of_a_page() -> None:
    budget = Budget(comparisons=5)
    assert not diff("a b", "b a", budget).is_cut
    assert diff("a b", "b a", budget).is_cut


@pytest.mark.parametrize("piece", [" ", "a ", " \n", "a"])
def test_it_splits_words_in_proportion_to_the_text(piece: str) -> None:
    short, long = (count_steps(word_diff.WORD, ("a" + piece * size).rstrip()) for size in (500, 1_000))
    assert long <= 2 * short + 10
    assert word_diff.split_words("a" + " " * 100_000) == ["a"]


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ("返金は金曜日に届きます。", "返金は月曜日に届きます。", 1),
        ("退款将在周五到账", "退款将在周一到账", 1),
        ("เงินคืนมาถึงวันศุกร์", "เงินคืนมาถึงวันเสาร์", 3),
        ("カードで払う", "カード払い", 2),
        ("한국어 단어 하나", "한국어 단어 둘", 1),
    ],
)
def test_it_compares_texts_without_spaces_by_character(before: str, after: str, count: int) -> None:
    assert count_changed_words(before, after) == count


def test_it_keeps_marks_with_their_letter() -> None:
    assert word_diff.split_words("ที่นี่") == ["ที่", "นี่"]


def test_it_splits_a_long_text_without_spaces_in_linear_time() -> None:
    assert len(word_diff.split_words("語" * 200_000)) == 200_000
