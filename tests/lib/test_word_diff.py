"""Compare two texts word by word."""

from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib.word_diff import MAX_COMPARISONS, count_changed_words, diff

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
