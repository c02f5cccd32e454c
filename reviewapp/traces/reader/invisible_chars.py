"""Characters that nobody sees, made visible: direction overrides, zero-width letters, terminal escapes.

Halves of characters too, which no answer could be written with.
"""

import html
import re
from itertools import groupby

# Emoji and letters of some scripts are joined by zero-width characters, flags end in tag characters, ideographs
# carry one variant selector: there they are part of the writing and stay.
_EMOJI = "\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff"
_WRITING = (
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
_FOUND = re.compile(f"{_WRITING}|{_HIDDEN}")
# Most texts hold none: one quick look for the characters themselves spares them the careful one.
_SUSPECT = re.compile(_HIDDEN.partition("]+")[0] + "\ufe00-\ufe0f]")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_CODES_LIMIT = 8


def reveal_invisible(markup: str) -> str:
    """Escaped HTML with each hidden character as `<span class="mark" title="U+202E">U+202E</span>`.

    The characters may stand in text only, never in an attribute: the caller's HTML holds no attribute of others.
    """
    return _FOUND.sub(_shown, markup) if _SUSPECT.search(markup) else markup


def _shown(found: re.Match[str]) -> str:
    if found.lastgroup:
        return found[0]
    groups = [(char, len(list(same))) for char, same in groupby(found[0])]
    codes = " ".join(_code(char, count) for char, count in groups[:_CODES_LIMIT])
    codes += f" and {len(groups) - _CODES_LIMIT:,} more" if len(groups) > _CODES_LIMIT else ""
    # Tag characters spell ASCII that a model reads and a person does not.
    spelled = "".join(chr(ord(char) - 0xE0000) for tags in _TAGS.findall(found[0]) for char in tags)
    words = f"{codes} hidden text: {spelled}" if spelled else codes
    return f'<span class="mark" title="{codes}">{html.escape(words)}</span>'


def _code(char: str, count: int) -> str:
    return f"U+{ord(char):04X} x{count:,}" if count > 1 else f"U+{ord(char):04X}"
