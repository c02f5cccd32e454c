"""The digit key of each option in a row, so that a digit sets the value it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

_ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th")


@dataclass(frozen=True, slots=True)
class KeyedOption:
    """An option as the form shows it: the value it sets, its text, and the digit that chooses it ("" if none).

    `key_label` is what the keycap shows: the digit of a value that is this digit, else the option's place in the row.
    """

    value: str
    label: str
    help: str
    key: str
    key_label: str


def assign_keys(options: Sequence[tuple[str, str, str]]) -> list[KeyedOption]:
    """Give each option, as (value, label, help), its key.

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
