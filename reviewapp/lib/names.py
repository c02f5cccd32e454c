"""Names that people type: which characters they may have, and which names cannot be told apart.

Two names are the same if they differ only in case, in compatibility forms (NFKC), in spaces or in characters that
cannot be seen. Two names look alike if Unicode's table of confusable characters makes them equal; the table is that of
confusable-homoglyphs. Names of ASCII alone are compared as they are: `user1` and `userl` are two usual names.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from itertools import groupby

from confusable_homoglyphs.confusables import confusables_data
from django.core.exceptions import ValidationError

from reviewapp.lib import invisible_chars

# Characters of a stored key. NFKC makes 18 of one, so a long name can have a longer key.
KEY_LENGTH = 400
_LINE_CHARACTERS = {"\t": "tab", "\n": "line break", "\r": "carriage return"}
# UTS 39 calls more marks on one letter a sign of spoofing; no script needs them.
_MAX_MARKS = 4
_DIRECTION_MARKS = "\u200e\u200f"


def fold_name(name: str) -> str:
    """The key of a name: equal for names that are the same. At most KEY_LENGTH characters, never of two lines."""
    text = unicodedata.normalize("NFKC", invisible_chars.remove_invisible(name)).casefold()
    folded = " ".join(unicodedata.normalize("NFKC", text).split())
    return folded if len(folded) <= KEY_LENGTH else hashlib.sha256(folded.encode()).hexdigest()


def describe_unreadable(text: str) -> str:
    """A sentence about the first control, direction mark or invisible character, or another that nobody can tell apart.

    Empty if there is none.
    """
    line_character = next((char for char in text if char in _LINE_CHARACTERS), None)
    if line_character is not None:
        name = f"U+{ord(line_character):04X} ({_LINE_CHARACTERS[line_character]})"
        return f"The character {name} does not belong in a name of one line. Remove it."
    hidden = invisible_chars.find_hidden(text)
    if hidden is not None:
        return f"The character {invisible_chars.name_character(hidden)} cannot be seen. Remove it."
    unknown = next((char for char in text if _has_no_look(char)), None)
    if unknown is not None:
        return f"The character {invisible_chars.name_character(unknown)} looks the same as others. Remove it."
    if any(is_mark and len(list(run)) > _MAX_MARKS for is_mark, run in groupby(text, _is_mark)):
        return f"A letter has more than {_MAX_MARKS} accents. Remove some."
    return ""


def _has_no_look(char: str) -> bool:
    """Whether fonts show it as a box: of private use, no character at all, or put for broken text."""
    is_no_character = "\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFE == 0xFFFE
    return is_no_character or char == "\ufffd" or unicodedata.category(char) == "Co"


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")


def validate_readable(name: str) -> None:
    """Django's validator of a name. Raises ValidationError."""
    if sentence := describe_unreadable(name):
        raise ValidationError(sentence)


def validate_distinct(name: str, others: Iterable[str]) -> None:
    """Check that a new name is neither the same as one of `others` nor looks like it. Raises ValidationError."""
    key, looks = fold_name(name), _list_looks(name)
    for other in others:
        shown = invisible_chars.reveal(other)
        if fold_name(other) == key:
            raise ValidationError(f"The name “{shown}” is taken. Choose another name.")
        if not (name.isascii() and other.isascii()) and looks & _list_looks(other):
            raise ValidationError(f"The name looks like “{shown}”, which exists. Choose a name that looks different.")


def _list_looks(name: str) -> set[str]:
    """What a name looks like as it is written and in small letters; B looks like a Cyrillic letter that b does not."""
    text = unicodedata.normalize("NFKC", invisible_chars.remove_invisible(name))
    return {_skeleton(text).casefold(), _skeleton(text.casefold())}


def _skeleton(text: str) -> str:
    """Unicode's skeleton (UTS 39): each character replaced by the one that stands for all that look like it."""
    return "".join(_PROTOTYPES.get(char, char) for char in unicodedata.normalize("NFD", text))


def _build_prototypes() -> dict[str, str]:
    """The table's pairs as a mapping. It lists both directions: what has one entry is mapped to that."""
    table = {
        _unmark(char): [_unmark(entry["c"]) for entry in entries]
        for char, entries in confusables_data.items()
        if len(_unmark(char)) == 1
    }
    prototypes = {}
    for char, looks in table.items():
        if len(looks) == 1:
            back = table.get(looks[0], [])
            # A pair lists each other: the smaller of the two stands for both.
            prototypes[char] = min(char, looks[0]) if len(back) == 1 else looks[0]
    return prototypes


def _unmark(text: str) -> str:
    # The table sets right-to-left characters between marks.
    return text.strip(_DIRECTION_MARKS) or text


_PROTOTYPES = _build_prototypes()
