"""Make invisible characters visible: direction overrides, zero-width characters, terminal escapes.

Lone surrogates too, which cannot be encoded in a response.
"""

import html
import re
from itertools import groupby

# Zero-width characters join emoji and letters of some scripts, flags end in tag characters, ideographs may have one
# variation selector. There they belong to the text and are not changed.
_EMOJI = "\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff"
_LEGITIMATE = (
    f"(?<=[{_EMOJI}\ufe0f])(?P<joined>\u200d)(?=[{_EMOJI}])"
    "|(?<=[\u0600-\u0dff])(?P<spelled>[\u200c\u200d])(?=[\u0600-\u0dff])"
    "|(?<=\U0001f3f4)(?P<flag>[\U000e0020-\U000e007e]{1,8}\U000e007f)"
    "|(?<=[\u3400-\u9fff])(?P<variant>[\U000e0100-\U000e01ef])(?![\U000e0100-\U000e01ef])"
)
_HIDDEN = (
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]+"
    "|[\ufe00-\ufe0f]{2,}"
)
_PATTERN = re.compile(f"{_LEGITIMATE}|{_HIDDEN}")
# Most texts have none: a quick check for the characters alone avoids the slow pattern.
_QUICK_CHECK = re.compile(_HIDDEN.partition("]+")[0] + "\ufe00-\ufe0f]")
_TAG_CHARS = re.compile("[\U000e0020-\U000e007e]{4,}")
_CODES_LIMIT = 8


def reveal_invisible(markup: str) -> str:
    """Return escaped HTML with each hidden character as `<span class="mark" title="U+202E">U+202E</span>`.

    The characters may be in text only, never in an attribute: the caller's HTML has no attributes from a trace.
    """
    return _PATTERN.sub(_reveal_match, markup) if _QUICK_CHECK.search(markup) else markup


def _reveal_match(match: re.Match[str]) -> str:
    if match.lastgroup:
        return match[0]
    groups = [(char, len(list(run))) for char, run in groupby(match[0])]
    codes = " ".join(_code_point(char, count) for char, count in groups[:_CODES_LIMIT])
    codes += f" and {len(groups) - _CODES_LIMIT:,} more" if len(groups) > _CODES_LIMIT else ""
    # Tag characters encode ASCII that a model reads and a person cannot see.
    hidden_text = "".join(chr(ord(char) - 0xE0000) for tags in _TAG_CHARS.findall(match[0]) for char in tags)
    label = f"{codes} hidden text: {hidden_text}" if hidden_text else codes
    return f'<span class="mark" title="{codes}">{html.escape(label)}</span>'


def _code_point(char: str, count: int) -> str:
    return f"U+{ord(char):04X} x{count:,}" if count > 1 else f"U+{ord(char):04X}"
