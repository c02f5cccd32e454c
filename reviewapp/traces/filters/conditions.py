"""Conditions of a view beside its exact pairs and its time range: an allow-list, each with its own URL parameter."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.http import QueryDict

from reviewapp.lib.shortening import shorten
from reviewapp.traces.metadata import tags
from reviewapp.traces.metadata.pairs import FilterError

MAX_LENGTH = 300
# Tags of one view, all of which a trace must have.
MAX_TAGS = 5
STATUSES = {"error": "error", "success": "success"}
REVIEW_STATES = {
    "queued": "waiting in a queue", "reviewed": "reviewed", "flagged": "needs review", "unsure": "unsure",
    "none": "not reviewed",
}  # fmt: skip
LABELS = {
    "status": "Status", "text": "Text", "review": "Review", "reviewer": "Reviewer", "min_score": "Score from",
    "max_score": "Score to", "min_cost": "Cost from", "max_cost": "Cost to", "session": "Session", "user": "User",
    "tag": "Tag",
}  # fmt: skip
CHOICES = {"status": STATUSES, "review": REVIEW_STATES}
NUMBERS = ("min_score", "max_score", "min_cost", "max_cost")
# Above every score and every cost; a score's column holds no more digits.
MAX_NUMBER = 10**8
# Answered by reviews and queue items, which the mirror does not know.
REVIEW_CONDITIONS = ("review", "reviewer", "min_score", "max_score")


class Condition(NamedTuple):
    """One condition; `name` is one of LABELS, and the name of its URL parameter."""

    name: str
    value: str

    @property
    def label(self) -> str:
        return LABELS[self.name]

    @property
    def text(self) -> str:
        """The value in words."""
        return CHOICES.get(self.name, {}).get(self.value, self.value)


# Asks the lookup of reviews for traces with an answer that the viewer may not see yet. No URL has it.
HAS_HIDDEN_REVIEW = Condition("review", "hidden")


def read_conditions(query: QueryDict) -> tuple[Condition, ...]:
    """The conditions in a URL's query; empty parameters are none. Raises FilterError."""
    conditions = [Condition(name, value) for name in LABELS for value in _read_values(query, name)]
    for name in ("score", "cost"):
        low, high = (get_number(conditions, f"{end}_{name}") for end in ("min", "max"))
        if low is not None and high is not None and low > high:
            raise FilterError(f"The lowest {name} is above the highest one. Swap the two.")
    return tuple(conditions)


def get_value(conditions: Iterable[Condition], name: str) -> str:
    """The value of the condition with this name; empty if there is none."""
    return next((condition.value for condition in conditions if condition.name == name), "")


def get_number(conditions: Iterable[Condition], name: str) -> float | None:
    value = get_value(conditions, name)
    return float(value) if value else None


def _read_values(query: QueryDict, name: str) -> Sequence[str]:
    texts = [" ".join(text.split()) if name == "text" else text.strip() for text in query.getlist(name)]
    texts = list(dict.fromkeys(text for text in texts if text))
    if name != "tag":
        # As for every other parameter, the last one counts.
        return [_check_value(name, text) for text in texts[-1:]]
    if len(texts) > MAX_TAGS:
        raise FilterError(f"A view can have at most {MAX_TAGS} tags. Remove some.")
    return [tags.shorten_name(_check_value(name, text)) for text in texts]


def _check_value(name: str, text: str) -> str:
    label = LABELS[name]
    if "\x00" in text:
        raise FilterError(f"“{label}” contains a NUL character. Remove it.")
    if len(text) > MAX_LENGTH:
        raise FilterError(f"“{label}” has {len(text):,} characters. The maximum is {MAX_LENGTH}. Shorten it.")
    if name in CHOICES and text not in CHOICES[name]:
        raise FilterError(f"“{label}” cannot be “{shorten(text, 40)}”. Choose one of: {', '.join(CHOICES[name])}.")
    if name in NUMBERS and not _is_number(text):
        raise FilterError(f"“{label}” is not a number below {MAX_NUMBER:,}: “{shorten(text, 40)}”. Write it as 0.5.")
    return text


def _is_number(text: str) -> bool:
    if not text.isascii() or "_" in text:
        return False
    try:
        return math.isfinite(float(text)) and abs(float(text)) < MAX_NUMBER
    except ValueError:
        return False
