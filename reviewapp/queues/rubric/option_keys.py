"""The key of each option in the form: a digit where one of a row is chosen, a letter where several can be.

A digit sets the value it shows, in the row that is marked. A letter acts wherever the focus is, so no letter is used
twice in a form and none is a shortcut of the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The letters that no shortcut uses: see SHORTCUTS in static/js/shortcuts.js.
OPTION_LETTERS = "bcdghpqvyz"
_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th")


@dataclass(frozen=True, slots=True)
class KeyedOption:
    """An option as the form shows it: the value it sets, its text, and the key that chooses it ("" if none).

    `key_label` is what the keycap shows: the digit of a value that is this digit, else the option's place in the row.
    """

    value: str
    label: str
    help: str
    key: str
    key_label: str


def assign_keys(options: Sequence[tuple[str, str, str]]) -> list[KeyedOption]:
    """Give each option of a row, as (value, label, help), its digit.

    A value that is a digit has this key. Any other has its place in the row, unless that digit is a value of the row.
    """
    digits = {value for value, *_ in options if value in set("0123456789")}
    keyed = []
    for index, (value, label, text) in enumerate(options):
        has_place = index < len(_ORDINALS) and str(index + 1) not in digits
        key = value if value in digits else str(index + 1) if has_place else ""
        key_label = key if value in digits or not key else _ORDINALS[index]
        keyed.append(KeyedOption(value, label, text, key, key_label))
    return keyed


def assign_letters(rows: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, list[KeyedOption]]:
    """Give the options of all rows, as (value, help) by row, their letters: one of the option's own where possible.

    Options for which no letter is left have none.
    """
    free = list(OPTION_LETTERS)
    keyed: dict[str, list[KeyedOption]] = {}
    for name, options in rows.items():
        keyed[name] = []
        for value, text in options:
            own = next((letter for letter in value.lower() if letter in free), "")
            letter = own or next(iter(free), "")
            if letter:
                free.remove(letter)
            keyed[name].append(KeyedOption(value, value, text, letter, letter))
    return keyed


def find_clearing_key(options: Sequence[KeyedOption]) -> str:
    """The digit that clears the answer of a row of these options; empty if an option has it."""
    return "" if any(option.key == "0" for option in options) else "0"
