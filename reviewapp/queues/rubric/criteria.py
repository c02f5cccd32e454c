"""What a queue asks beside score and notes: criteria, and what becomes of an answer to one.

An answer's value is a JSON value, None where nothing was said. That of a correction is an object: how many words
were changed (`edits`), and unless that is none the text before (`from`) and after (`text`).

What the score's values mean stands in the same JSON list, as one entry of its own: see `scale`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from reviewapp.lib import canonical_json
from reviewapp.lib.word_diff import count_changed_words

KEY = RegexValidator(r"^[A-Za-z0-9_.\-]{1,60}\Z", "Use letters, digits and . _ - only, 60 at most.")
KINDS = {
    "choice": "one choice",
    "choices": "several choices",
    "yes_no": "yes or no",
    "number": "number",
    "text": "text",
    "correction": "corrected answer",
    "tags": "tags",
}
# How many criteria a queue may have, options a criterion, tags an answer; and how long texts may be.
MAX_CRITERIA = 20
MAX_OPTIONS = 30
MAX_TAGS = 20
MAX_TAG_LENGTH = 60
MAX_TEXT_LENGTH = 20_000
MAX_CORRECTION_LENGTH = 100_000
UNCHANGED = {"edits": 0}
# Plain digits only: no exponent, no underscore, no digits of other scripts, no NaN.
NUMBER = re.compile(r"-?[0-9]{1,8}(?:[.,][0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to choose, and what it means."""

    value: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing to judge. `key` is its metadata key without the queue's prefix; low, high and step are a number's."""

    key: str
    label: str
    kind: str
    help: str = ""
    options: tuple[Option, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    step: Decimal | None = None
    is_required: bool = False

    @property
    def metadata_keys(self) -> tuple[str, ...]:
        """The metadata keys it writes, without the queue's prefix."""
        if self.kind == "tags":
            return ()
        return (self.key, f"{self.key}_edits") if self.kind == "correction" else (self.key,)

    @property
    def field_name(self) -> str:
        """The name of its field in the reviewer's form."""
        return f"answer.{self.key}"

    @property
    def yes_no_options(self) -> tuple[Option, Option]:
        """Its two answers with their words, where it is a question for yes or no."""
        told = {option.value: option for option in self.options}
        return told.get("yes", Option("yes")), told.get("no", Option("no"))

    @property
    def range_text(self) -> str:
        """A number's bounds as a sentence, empty where it has none."""
        low, high, step = (None if part is None else format_decimal(part) for part in (self.low, self.high, self.step))
        words = [f"from {low}" if low else "", f"up to {high}" if high else "", f"in steps of {step}" if step else ""]
        return f"Give a number {' '.join(filter(None, words))}." if any(words) else ""


@lru_cache(maxsize=256)
def parse_criteria(text: str) -> tuple[Criterion, ...]:
    """The criteria that `write` wrote."""
    return tuple(_criterion(member) for member in canonical_json.loads(text) if "score" not in member)


def dump_criteria(criteria: Iterable[Criterion], words: Sequence[Option] = ()) -> str:
    """Criteria and the score's words as canonical JSON, what is empty left out: equal rubrics are equal texts."""
    told = [{"score": _told(words)}] if words else []
    return canonical_json.dumps([*(_members(criterion) for criterion in criteria), *told])


def validate_criteria(criteria: Sequence[Criterion], taken: Mapping[str, str]) -> None:
    """That each criterion can be asked, and that no two keys are the same.

    `taken` are the built-in answers' keys and whose they are. Raises ValidationError.
    """
    if len(criteria) > MAX_CRITERIA:
        raise ValidationError(f"These are {len(criteria)} criteria; {MAX_CRITERIA} at most can be asked. Remove some.")
    owners = dict(taken)
    for criterion in criteria:
        _check_one(criterion)
        # Tags write no metadata, yet their key names their field.
        for key in criterion.metadata_keys or (criterion.key,):
            KEY(key)
            if key in owners:
                raise ValidationError(
                    f"“{criterion.label}” and {owners[key]} have the same metadata key “{key}”: give each its own."
                )
            owners[key] = f"“{criterion.label}”"


def clean_answer(criterion: Criterion, given: Sequence[str], original: str = "") -> Any:
    """The value of what a form sent for a criterion: None where nothing was said.

    `original` is the text that a correction started from. Raises ValidationError with a sentence.
    """
    texts = [text.replace("\r\n", "\n").strip() for text in given]
    texts = [text for text in texts if text]
    if any("\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text) for text in texts):
        raise ValidationError("The answer holds a broken character. Remove it and submit again.")
    if len(texts) > 1 and criterion.kind not in ("choices", "tags"):
        raise ValidationError("This came twice. Give one answer.")
    return _CLEANERS[criterion.kind](criterion, texts, original.replace("\r\n", "\n").strip()) if texts else None


def answer_metadata(criterion: Criterion, value: Any) -> dict[str, Any]:
    """The metadata members, without the queue's prefix, that an answer writes; null where nothing was said."""
    if criterion.kind == "correction":
        said = value or {"edits": None}
        return dict(zip(criterion.metadata_keys, (said.get("text"), said["edits"]), strict=True))
    return dict.fromkeys(criterion.metadata_keys, value)


def free_texts(criterion: Criterion, value: Any) -> list[str]:
    """What a person wrote in an answer themselves, where they did not only choose or count."""
    if not is_answered(value) or criterion.options:
        return []
    if criterion.kind == "correction":
        return [value["text"]]
    if criterion.kind == "tags":
        return list(value)
    return [value] if criterion.kind == "text" else []


def build_correction(original: str, text: str) -> dict[str, Any]:
    """A correction's value: the text that is there instead of the original one."""
    if text == original:
        return UNCHANGED
    return {"edits": count_changed_words(original, text), "from": original, "text": text}


def is_answered(value: Any) -> bool:
    """Whether a value says anything: an answer left as it is does not."""
    return value is not None and value != UNCHANGED


def format_answer(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return str(value.get("text", "left as it is"))
    return str(value)


def to_form_values(criterion: Criterion, value: Any, original: str = "") -> list[str]:
    """What the form's field or fields hold for a value; a correction opens with the text to correct.

    The value may be one that was given under an older rubric, to a criterion of another kind.
    """
    if criterion.kind == "correction":
        return [format_answer(value) if is_answered(value) else original]
    if not is_answered(value):
        return []
    return value if isinstance(value, list) and criterion.options else [format_answer(value)]


def format_decimal(number: Decimal) -> str:
    """A decimal as its JSON number."""
    return str(canonical_json.normalize(number))


def _number(criterion: Criterion, texts: Sequence[str], original: str) -> int | float:
    if not NUMBER.fullmatch(texts[0]):
        raise ValidationError(f"“{texts[0][:80]}” is not a number. {criterion.range_text}".strip())
    number = Decimal(texts[0].replace(",", "."))
    low, high, step = criterion.low, criterion.high, criterion.step
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValidationError(f"{format_decimal(number)} is out of range. {criterion.range_text}")
    if step is not None and (number - (low or 0)) % step:
        raise ValidationError(f"{format_decimal(number)} is between two steps. {criterion.range_text}")
    found: int | float = canonical_json.normalize(number)
    return found


def _choice(criterion: Criterion, texts: Sequence[str], original: str) -> str:
    return _choices(criterion, texts, original)[0]


def _choices(criterion: Criterion, texts: Sequence[str], original: str) -> list[str]:
    """The chosen options in their own order, however they were sent."""
    values = [option.value for option in criterion.options]
    for text in texts:
        if text not in values:
            raise ValidationError(f"“{text[:80]}” is not one of the options. Choose again.")
    return [value for value in values if value in texts]


def _yes_no(criterion: Criterion, texts: Sequence[str], original: str) -> bool:
    if texts[0] not in ("yes", "no"):
        raise ValidationError("Answer yes or no.")
    return texts[0] == "yes"


def _text(criterion: Criterion, texts: Sequence[str], original: str) -> str:
    if len(texts[0]) > MAX_TEXT_LENGTH:
        raise ValidationError(f"The text has {len(texts[0]):,} characters; {MAX_TEXT_LENGTH:,} fit. Shorten it.")
    if "\N{REPLACEMENT CHARACTER}" in texts[0]:
        raise ValidationError("The text holds a broken character (shown as �). Remove it and submit again.")
    return texts[0]


def _correction(criterion: Criterion, texts: Sequence[str], original: str) -> dict[str, Any]:
    if texts[0] != original and len(texts[0]) > MAX_CORRECTION_LENGTH:
        raise ValidationError(f"The text has {len(texts[0]):,} characters; {MAX_CORRECTION_LENGTH:,} fit. Shorten it.")
    return build_correction(original, texts[0])


def _tags(criterion: Criterion, texts: Sequence[str], original: str) -> list[str] | None:
    if criterion.options:
        return _choices(criterion, texts, original)
    names = list(dict.fromkeys(name for text in texts for part in re.split(r"[,\n]", text) if (name := part.strip())))
    if len(names) > MAX_TAGS:
        raise ValidationError(f"These are {len(names)} tags; {MAX_TAGS} at most can be given. Remove some.")
    for name in names:
        if len(name) > MAX_TAG_LENGTH or not name.isprintable():
            raise ValidationError(
                f"“{name[:MAX_TAG_LENGTH]}” is no tag: use {MAX_TAG_LENGTH} characters at most, on one line."
            )
    return names or None


_CLEANERS: dict[str, Callable[[Criterion, Sequence[str], str], Any]] = {
    "number": _number,
    "choice": _choice,
    "choices": _choices,
    "yes_no": _yes_no,
    "text": _text,
    "correction": _correction,
    "tags": _tags,
}


def _check_one(criterion: Criterion) -> None:
    if criterion.kind not in KINDS:
        raise ValidationError(f"“{criterion.label}” is of no kind there is.")
    values = [option.value for option in criterion.options]
    if criterion.kind in ("choice", "choices") and not values:
        raise ValidationError(f"“{criterion.label}” has no options: write one a line.")
    if criterion.kind == "yes_no" and not set(values) <= {"yes", "no"}:
        raise ValidationError(f"“{criterion.label}” is answered yes or no: give words to these two only.")
    if len(values) > MAX_OPTIONS or len(set(values)) < len(values) or any(not value.strip() for value in values):
        raise ValidationError(f"“{criterion.label}”: give up to {MAX_OPTIONS} options, each of them once.")
    low, high, step = criterion.low, criterion.high, criterion.step
    if low is not None and high is not None and low >= high:
        raise ValidationError(f"“{criterion.label}”: the highest number must be above the lowest.")
    if step is not None and step <= 0:
        raise ValidationError(f"“{criterion.label}”: the step must be above 0.")


def _members(criterion: Criterion) -> dict[str, Any]:
    found = {name: getattr(criterion, name) for name in ("key", "label", "kind", "help", "low", "high", "step")}
    found |= {"options": _told(criterion.options) or None, "is_required": criterion.is_required or None}
    return {name: part for name, part in found.items() if part is not None}


def _told(options: Iterable[Option]) -> list[dict[str, str]]:
    return [{"value": option.value, "help": option.help} for option in options]


def _criterion(members: Mapping[str, Any]) -> Criterion:
    numbers: dict[str, Any] = {name: Decimal(str(members[name])) for name in ("low", "high", "step") if name in members}
    options = tuple(Option(option["value"], option["help"]) for option in members.get("options", ()))
    texts = {name: members[name] for name in ("key", "label", "kind", "help")}
    return Criterion(**texts, **numbers, options=options, is_required=members.get("is_required", False))
