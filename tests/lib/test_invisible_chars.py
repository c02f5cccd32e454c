import sys
import unicodedata

import pytest

from reviewapp.lib import invisible_chars

# Arabic signs that Unicode calls format characters although they are drawn.
DRAWN = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x890, 0x891, 0x8E2}
LINE_BREAKS = {0x09, 0x0A, 0x0D}


def test_it_knows_every_control_and_format_character() -> None:
    hidden = {
        code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }

    missed = [f"U+{code:04X}" for code in hidden - DRAWN - LINE_BREAKS if not invisible_chars.find_hidden(chr(code))]

    assert missed == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202e QA", "[U+202E] QA"),
        ("\x1b[31mred", "[U+001B][31mred"),
        ("a\u2800b", "a[U+2800]b"),
        ("a\u070fb", "a[U+070F]b"),
        ("a\U000110bdb", "a[U+110BD]b"),
        ("a\U00013430b", "a[U+13430]b"),
        ("a\U0001bca0b", "a[U+1BCA0]b"),
        ("a\U0001d173b", "a[U+1D173]b"),
        ("a\ufe00b\ufe01", "a[U+FE00]b[U+FE01]"),
        ("❤\ufe0f\ufe0e", "❤[U+FE0F U+FE0E]"),
        ("葛\U000e0100\ufe00", "葛[U+E0100 U+FE00]"),
        ("🏴\U000e0068\U000e0069\U000e007f", "🏴[U+E0068 U+E0069 U+E007F]"),
        ("a\u2028b", "a[U+2028]b"),
    ],
)
def test_it_shows_hidden_characters_by_their_code(text: str, shown: str) -> None:
    assert invisible_chars.reveal(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "rosa",
        "1\ufe0f\u20e3",
        "👩‍👩‍👧",
        "می‌خواهم",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "葛\U000e0100",
    ],
)
def test_it_does_not_change_what_belongs_to_the_text(text: str) -> None:
    assert invisible_chars.reveal(text) == text
    assert invisible_chars.find_hidden(text) is None


def test_it_names_the_first_hidden_character() -> None:
    assert invisible_chars.name_character(invisible_chars.find_hidden("a\u202eb\u200b") or "") == (
        "U+202E (right-to-left override)"
    )
