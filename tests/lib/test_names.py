import pytest
from django.core.exceptions import ValidationError

from reviewapp.lib import names


@pytest.mark.parametrize("spelling", ["ROSA", "Rosa", "Ｒｏｓａ", " rosa ", "ro\u200bsa", "𝓻osa"])
def test_it_refuses_a_name_that_is_the_same(spelling: str) -> None:
    with pytest.raises(ValidationError, match="The name “rosa” is taken"):
        names.validate_distinct(spelling, ["other", "rosa"])


@pytest.mark.parametrize(("name", "other"), [("rоsa", "rosa"), ("rosa", "rоsa"), ("ВЕТА", "Beta"), ("ІТ", "IT")])
def test_it_refuses_a_name_that_looks_the_same(name: str, other: str) -> None:
    with pytest.raises(ValidationError, match="looks like"):
        names.validate_distinct(name, [other])


@pytest.mark.parametrize(
    ("name", "other"),
    [("user1", "userl"), ("modern", "modem"), ("Café", "Cafe"), ("Да", "Нет"), ("回答", "答")],
)
def test_it_accepts_names_that_differ(name: str, other: str) -> None:
    names.validate_distinct(name, [other])


@pytest.mark.parametrize("name", ["\ufdfa" * 120, "x" * 5_000, "", "\ud800", "\x00"])
def test_it_makes_a_key_of_any_name(name: str) -> None:
    assert len(names.fold_name(name)) <= names.KEY_LENGTH


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("\u202e QA", "U+202E (right-to-left override)"),
        ("a\u200eb", "U+200E (left-to-right mark)"),
        ("a\x1bb", "U+001B"),
        ("a\nb", "U+000A (line break)"),
        ("a\u3164b", "U+3164 (hangul filler)"),
        ("a\uffffb", "U+FFFF looks the same as others"),
        ("a\ue000b", "U+E000 looks the same as others"),
        ("a\ufffdb", "U+FFFD (replacement character) looks the same"),
        ("Q" + "\u0300" * 5, "more than 4 accents"),
    ],
)
def test_it_names_the_character_that_cannot_be_read(name: str, words: str) -> None:
    assert words in names.describe_unreadable(name)


@pytest.mark.parametrize("name", ["Việt", "שָׁלוֹם", "Q" + "\u0300" * 4, "👨\u200d👩\u200d👧", "回答"])
def test_it_reads_names_of_every_script(name: str) -> None:
    assert names.describe_unreadable(name) == ""
