"""Criteria: what a queue asks besides score and notes. `answer_values` has the answers to them.

A criterion that asks for a reason is followed by a criterion of its own for it, a text with the key `<key>_reason`, so
that reasons are cleaned, kept and pushed like all other answers.

The meanings of the score's values are stored in the same JSON list, as one entry of their own: see `scale`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from reviewapp.lib import canonical_json, names
from reviewapp.lib.numbers import format_decimal
from reviewapp.lib.shortening import shorten
from reviewapp.queues.rubric.option_keys import KeyedOption, assign_keys

KEY = RegexValidator(r"^[A-Za-z0-9_.\-]{1,60}\Z", "Use letters, digits and . _ - only, 60 at most.")
KINDS = {
    "choice": "one choice",
    "choices": "several choices",
    "yes_no": "yes or no",
    "number": "number",
    "text": "text",
    "correction": "corrected answer",
    "tags": "tags",
    "first_error": "first error",
}
# Limits: criteria per queue, and options per criterion.
MAX_CRITERIA = 20
MAX_OPTIONS = 30


@dataclass(frozen=True, slots=True)
class Option:
    """An answer to choose, and what it means."""

    value: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing to judge. `key` is its metadata key without the queue's prefix; low, high and step are for numbers.

    `reason_for` is the key of the criterion whose answer this one explains, empty for all others.
    """

    key: str
    label: str
    kind: str
    help: str = ""
    options: tuple[Option, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    step: Decimal | None = None
    is_required: bool = False
    asks_reason: bool = False
    reason_for: str = ""

    @property
    def metadata_keys(self) -> tuple[str, ...]:
        """The metadata keys that its answer writes, without the queue's prefix."""
        if self.kind == "tags":
            return ()
        if self.kind == "first_error":
            return (f"{self.key}_step", f"{self.key}_quote")
        return (self.key, f"{self.key}_edits") if self.kind == "correction" else (self.key,)

    @property
    def field_name(self) -> str:
        """The name of its field in the reviewer's form."""
        return f"answer.{self.key}"

    @property
    def keyed_options(self) -> list[KeyedOption]:
        """The options of a row where one is chosen, each with its digit: those of a choice, or yes and no."""
        options = self.yes_no_options if self.kind == "yes_no" else self.options
        return assign_keys([(option.value, option.value, option.help) for option in options])

    @property
    def has_one_choice(self) -> bool:
        """Whether one option is chosen, by its digit; of several choices, each option has a letter."""
        return self.kind in ("choice", "yes_no")

    @property
    def has_option_help(self) -> bool:
        return any(option.help for option in self.options)

    @property
    def reason(self) -> "Criterion":
        """The criterion that asks why its answer was given."""
        return Criterion(f"{self.key}_reason", shorten(f"{self.label}: reason", 120), "text", reason_for=self.key)

    @property
    def yes_no_options(self) -> tuple[Option, Option]:
        """The options yes and no, with their meanings if there are any."""
        by_value = {option.value: option for option in self.options}
        return by_value.get("yes", Option("yes")), by_value.get("no", Option("no"))

    @property
    def range_text(self) -> str:
        """A number's limits as a sentence, empty if it has none."""
        limits = (self.low, self.high, self.step)
        low, high, step = (None if limit is None else format_decimal(limit) for limit in limits)
        words = [f"from {low}" if low else "", f"up to {high}" if high else "", f"in steps of {step}" if step else ""]
        return f"Enter a number {' '.join(filter(None, words))}." if any(words) else ""


@lru_cache(maxsize=256)
def parse_criteria(text: str) -> tuple[Criterion, ...]:
    """Parse the JSON text that `dump_criteria` writes; each reason asked for comes after its criterion."""
    criteria = [_parse_criterion(member) for member in canonical_json.loads(text) if "score" not in member]
    return tuple(
        row
        for criterion in criteria
        for row in ([criterion, criterion.reason] if criterion.asks_reason else [criterion])
    )


def dump_criteria(criteria: Iterable[Criterion], words: Sequence[Option] = ()) -> str:
    """Dump criteria and the meanings of scores as canonical JSON without empty members: equal rubrics, equal texts."""
    score_entries = [{"score": _dump_options(words)}] if words else []
    entries = [_dump_criterion(criterion) for criterion in criteria if not criterion.reason_for]
    return canonical_json.dumps([*entries, *score_entries])


def validate_criteria(criteria: Sequence[Criterion], reserved: Mapping[str, str]) -> None:
    """Check that each criterion is valid and that no two keys are the same.

    `reserved` maps the built-in answers' keys to the names of the answers. Raises ValidationError.
    """
    count = sum(not criterion.reason_for for criterion in criteria)
    if count > MAX_CRITERIA:
        raise ValidationError(f"There are {count} criteria. The maximum is {MAX_CRITERIA}. Remove some.")
    owners = dict(reserved)
    for criterion in criteria:
        _validate_criterion(criterion)
        # Tags and a first error do not write their key, but it still names their form field.
        for key in dict.fromkeys((criterion.key, *criterion.metadata_keys)):
            KEY(key)
            if key in owners:
                raise ValidationError(
                    f"“{criterion.label}” and {owners[key]} have the same metadata key “{key}”. Give each its own key."
                )
            owners[key] = f"“{criterion.label}”"
    if sum(criterion.kind == "first_error" for criterion in criteria) > 1:
        raise ValidationError("There are two criteria for the first error. Remove one.")


def _validate_criterion(criterion: Criterion) -> None:
    if criterion.kind not in KINDS:
        raise ValidationError(f"“{criterion.label}” has an unknown kind. Choose one from the list.")
    values = [option.value for option in criterion.options]
    for text in (criterion.label, *values):
        if sentence := names.describe_unreadable(text):
            raise ValidationError(f"“{text}”: {sentence}")
    if criterion.kind in ("choice", "choices") and not values:
        raise ValidationError(f"“{criterion.label}” has no options. Write one per line.")
    if criterion.kind == "yes_no" and not set(values) <= {"yes", "no"}:
        raise ValidationError(f"“{criterion.label}” is answered yes or no. Only these two can have a meaning.")
    if len(values) > MAX_OPTIONS or len(set(values)) < len(values) or any(not value.strip() for value in values):
        raise ValidationError(f"“{criterion.label}”: enter up to {MAX_OPTIONS} different options.")
    low, high, step = criterion.low, criterion.high, criterion.step
    if low is not None and high is not None and low >= high:
        raise ValidationError(f"“{criterion.label}”: the highest number must be above the lowest.")
    if step is not None and step <= 0:
        raise ValidationError(f"“{criterion.label}”: the step must be above 0.")


def _dump_criterion(criterion: Criterion) -> dict[str, Any]:
    members = {name: getattr(criterion, name) for name in ("key", "label", "kind", "help", "low", "high", "step")}
    members |= {"options": _dump_options(criterion.options) or None, "is_required": criterion.is_required or None}
    members |= {"asks_reason": criterion.asks_reason or None}
    return {name: value for name, value in members.items() if value is not None}


def _dump_options(options: Iterable[Option]) -> list[dict[str, str]]:
    return [{"value": option.value, "help": option.help} for option in options]


def _parse_criterion(members: Mapping[str, Any]) -> Criterion:
    numbers: dict[str, Any] = {name: Decimal(str(members[name])) for name in ("low", "high", "step") if name in members}
    options = tuple(Option(option["value"], option["help"]) for option in members.get("options", ()))
    texts = {name: members[name] for name in ("key", "label", "kind", "help")}
    flags = {name: members.get(name, False) for name in ("is_required", "asks_reason")}
    return Criterion(**texts, **numbers, **flags, options=options)
