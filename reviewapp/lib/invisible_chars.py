"""Make invisible characters visible: direction overrides, zero-width characters, terminal escapes, line separators.

Lone surrogates too, which cannot be encoded in a response. HTML gets a marked span (`reveal_in_html`); attributes,
titles, sentences, terminals and logs get the code point in brackets (`reveal`).
"""

import html
import re
import unicodedata
from itertools import groupby

# Zero-width characters join emoji and letters of some scripts, three flags end in tag characters, symbols and
# ideographs may have one variation selector. There they belong to the text and are not changed.
_EMOJI = "\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_FLAGS = "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f" for region in ("gbeng", "gbsct", "gbwls")
)
_LEGITIMATE = (
    f"(?<=[{_EMOJI}\ufe0f])(?P<joined>\u200d)(?=[{_EMOJI}])"
    "|(?<=[\u0600-\u0dff])(?P<spelled>[\u200c\u200d])(?=[\u0600-\u0dff])"
    f"|(?<=\U0001f3f4)(?P<flag>{_FLAGS})"
    f"|(?<=[{_EMOJI}#*0-9\xa9\xae\u203c\u2049\u2122\u2139])(?P<styled>[\ufe0e\ufe0f])(?![{_SELECTORS}])"
    f"|(?<=[\u2200-\u22ff\u3000-\u30ff\u3400-\u9fff\uff00-\uff60])(?P<shaped>[\ufe00-\ufe02])(?![{_SELECTORS}])"
    f"|(?<=[\u3400-\u9fff])(?P<variant>[\U000e0100-\U000e01ef])(?![{_SELECTORS}])"
)
_HIDDEN = (
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_PATTERN = re.compile(f"{_LEGITIMATE}|{_HIDDEN}+")
# Most texts have none: a quick check for the characters alone avoids the slow pattern.
_QUICK_CHECK = re.compile(_HIDDEN)
_TAG_CHARS = re.compile("[\U000e0020-\U000e007e]{4,}")
_CODES_LIMIT = 8


def reveal_in_html(markup: str) -> str:
    """Return escaped HTML with each run of hidden characters as `<span class="mark" title="U+202E">U+202E</span>`.

    The characters may be in text only, never in an attribute: the caller's HTML has no attributes from a trace.
    """
    return _PATTERN.sub(_mark, markup) if _QUICK_CHECK.search(markup) else markup


def reveal(text: str) -> str:
    """Return plain text with each run of hidden characters as `[U+202E]`."""
    return _PATTERN.sub(_bracket, text) if _QUICK_CHECK.search(text) else text


def remove_invisible(text: str) -> str:
    """Return the text without any of the characters, also where they belong to it: for comparing, not for showing."""
    return _QUICK_CHECK.sub("", text)


def find_hidden(text: str) -> str | None:
    """Return the first hidden character, or None if there is none."""
    return next((match[0][0] for match in _PATTERN.finditer(text) if not match.lastgroup), None)


def name_character(char: str) -> str:
    """Return `U+202E (right-to-left override)`; without a name for a character that has none."""
    name = unicodedata.name(char, "").lower()
    return f"U+{ord(char):04X} ({name})" if name else f"U+{ord(char):04X}"


def _mark(match: re.Match[str]) -> str:
    if match.lastgroup:
        return match[0]
    codes = _list_codes(match[0])
    # Tag characters encode ASCII that a model reads and a person cannot see.
    hidden_text = "".join(chr(ord(char) - 0xE0000) for tags in _TAG_CHARS.findall(match[0]) for char in tags)
    label = f"{codes} hidden text: {hidden_text}" if hidden_text else codes
    return f'<span class="mark" title="{codes}">{html.escape(label)}</span>'


def _bracket(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup else f"[{_list_codes(match[0])}]"


def _list_codes(run: str) -> str:
    groups = [(char, len(list(repeats))) for char, repeats in groupby(run)]
    codes = " ".join(_code_point(char, count) for char, count in groups[:_CODES_LIMIT])
    return codes + (f" and {len(groups) - _CODES_LIMIT:,} more" if len(groups) > _CODES_LIMIT else "")


def _code_point(char: str, count: int) -> str:
    return f"U+{ord(char):04X} x{count:,}" if count > 1 else f"U+{ord(char):04X}"
