"""Criteria: what a queue asks besides score and notes, and how answers to them are cleaned and pushed.

An answer is a JSON value, None if there is no answer. The answer to a correction is an object: the number of changed
words (`edits`) and, unless that is 0, the text before (`from`) and after (`text`).

A criterion that asks for a reason is followed by a criterion of its own for it, a text with the key `<key>_reason`, so
that reasons are cleaned, kept and pushed like all other answers.

The meanings of the score's values are stored in the same JSON list, as one entry of their own: see `scale`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from reviewapp.lib import canonical_json, names
from reviewapp.lib.newlines import normalise_newlines
from reviewapp.lib.numbers import format_decimal, parse_decimal
from reviewapp.lib.shortening import shorten
from reviewapp.lib.word_diff import count_changed_words
from reviewapp.queues.rubric import first_error
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
# Limits: criteria per queue, options per criterion, tags per answer, and characters per text.
MAX_CRITERIA = 20
MAX_OPTIONS = 30
MAX_TAGS = 20
MAX_TAG_LENGTH = 60
MAX_TEXT_LENGTH = 20_000
MAX_CORRECTION_LENGTH = 100_000
UNCHANGED = {"edits": 0}
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


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


def clean_answer(criterion: Criterion, values: Sequence[str], original: str = "") -> Any:
    """Clean the `values` that a form sent for a criterion; None if there is no answer.

    `original` is the text that a correction started from. Raises ValidationError.
    """
    texts = [normalise_newlines(text).strip() for text in values]
    texts, original = [text for text in texts if text], normalise_newlines(original).strip()
    if any("\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text) for text in texts):
        raise ValidationError("The answer contains a broken character. Remove it and submit again.")
    # A browser sends half a character as the replacement character; a corrected answer may have some of its own, and
    # so may a passage of the trace.
    is_quoted = criterion.kind == "first_error"
    if not is_quoted and any(text.count(_REPLACEMENT) > original.count(_REPLACEMENT) for text in texts):
        raise ValidationError("The answer contains a broken character (shown as �). Remove it and submit again.")
    if len(texts) > 1 and criterion.kind not in ("choices", "tags"):
        raise ValidationError("More than one answer was sent. Give one answer.")
    return _CLEANERS[criterion.kind](criterion, texts, original) if texts else None


def answer_metadata(criterion: Criterion, value: Any) -> dict[str, Any]:
    """Return the metadata that an answer writes, keys without the queue's prefix; null if there is no answer."""
    if criterion.kind == "correction":
        correction = value or {"edits": None}
        return dict(zip(criterion.metadata_keys, (correction.get("text"), correction["edits"]), strict=True))
    if criterion.kind == "first_error":
        place = value or {"step": None, "quote": None}
        return dict(zip(criterion.metadata_keys, (place["step"], place["quote"] or None), strict=True))
    return dict.fromkeys(criterion.metadata_keys, value)


def free_texts(criterion: Criterion, value: Any) -> list[str]:
    """Return the texts of an answer that a person typed, as opposed to chosen options and numbers."""
    if not is_answered(value) or criterion.options:
        return []
    if criterion.kind == "correction":
        return [value["text"]]
    if criterion.kind == "first_error":
        return [value["step"], value["quote"]]
    if criterion.kind == "tags":
        return list(value)
    return [value] if criterion.kind == "text" else []


def build_correction(original: str, text: str) -> dict[str, Any]:
    """Return the value of a correction that replaces `original` by `text`."""
    if text == original:
        return UNCHANGED
    return {"edits": count_changed_words(original, text), "from": original, "text": text}


def is_answered(value: Any) -> bool:
    """Whether a value is an answer: None and an unchanged correction are not."""
    return value is not None and value != UNCHANGED


def format_answer(value: Any) -> str:
    """Format a value for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict) and "at" in value:
        return first_error.describe(value)
    if isinstance(value, dict):
        return str(value.get("text", "unchanged"))
    return str(value)


def to_form_values(criterion: Criterion, value: Any, original: str = "") -> list[str]:
    """Return the values of the form's field or fields for an answer; a correction starts with the original text.

    The answer may belong to an older version of the rubric, in which the criterion was of another kind.
    """
    if criterion.kind == "correction":
        return [format_answer(value) if is_answered(value) else original]
    if not is_answered(value):
        return []
    if criterion.kind == "first_error":
        is_place = isinstance(value, dict) and "at" in value
        return [first_error.format_field(value["at"], value["step"], value["quote"])] if is_place else []
    return value if isinstance(value, list) and criterion.options else [format_answer(value)]


def _clean_number(criterion: Criterion, texts: Sequence[str], original: str) -> int | float:
    number = parse_decimal(texts[0])
    if number is None:
        raise ValidationError(f"“{shorten(texts[0], 80)}” is not a number. {criterion.range_text}".strip())
    low, high, step = criterion.low, criterion.high, criterion.step
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValidationError(f"{format_decimal(number)} is out of range. {criterion.range_text}")
    if step is not None and (number - (low or 0)) % step:
        raise ValidationError(f"{format_decimal(number)} is between two steps. {criterion.range_text}")
    value: int | float = canonical_json.normalize(number)
    return value


def _clean_choice(criterion: Criterion, texts: Sequence[str], original: str) -> str:
    return _clean_choices(criterion, texts, original)[0]


def _clean_choices(criterion: Criterion, texts: Sequence[str], original: str) -> list[str]:
    """Return the chosen options in the order of the criterion, whatever order they were sent in."""
    values = [option.value for option in criterion.options]
    for text in texts:
        if text not in values:
            raise ValidationError(f"“{shorten(text, 80)}” is not one of the options. Choose again.")
    return [value for value in values if value in texts]


def _clean_yes_no(criterion: Criterion, texts: Sequence[str], original: str) -> bool:
    if texts[0] not in ("yes", "no"):
        raise ValidationError("Answer yes or no.")
    return texts[0] == "yes"


def _clean_text(criterion: Criterion, texts: Sequence[str], original: str) -> str:
    if len(texts[0]) > MAX_TEXT_LENGTH:
        raise ValidationError(
            f"The text has {len(texts[0]):,} characters. The maximum is {MAX_TEXT_LENGTH:,}. Shorten it."
        )
    return texts[0]


def _clean_correction(criterion: Criterion, texts: Sequence[str], original: str) -> dict[str, Any]:
    if texts[0] != original and len(texts[0]) > MAX_CORRECTION_LENGTH:
        raise ValidationError(
            f"The text has {len(texts[0]):,} characters. The maximum is {MAX_CORRECTION_LENGTH:,}. Shorten it."
        )
    return build_correction(original, texts[0])


def _clean_tags(criterion: Criterion, texts: Sequence[str], original: str) -> list[str] | None:
    if criterion.options:
        return _clean_choices(criterion, texts, original)
    tags = list(dict.fromkeys(name for text in texts for part in re.split(r"[,\n]", text) if (name := part.strip())))
    if len(tags) > MAX_TAGS:
        raise ValidationError(f"There are {len(tags)} tags. The maximum is {MAX_TAGS}. Remove some.")
    for name in tags:
        start = shorten(name, MAX_TAG_LENGTH)
        if sentence := names.describe_unreadable(name):
            raise ValidationError(f"“{start}” is not a valid tag. {sentence}")
        if len(name) > MAX_TAG_LENGTH or not name.isprintable():
            raise ValidationError(f"“{start}” is not a valid tag. Use up to {MAX_TAG_LENGTH} characters on one line.")
    return tags or None


def _clean_first_error(criterion: Criterion, texts: Sequence[str], original: str) -> dict[str, Any]:
    return first_error.parse_field(texts[0])


_CLEANERS: dict[str, Callable[[Criterion, Sequence[str], str], Any]] = {
    "number": _clean_number,
    "choice": _clean_choice,
    "choices": _clean_choices,
    "yes_no": _clean_yes_no,
    "text": _clean_text,
    "correction": _clean_correction,
    "tags": _clean_tags,
    "first_error": _clean_first_error,
}


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
