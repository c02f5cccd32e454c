"""Answers to criteria: how they are cleaned, shown, and pushed.

An answer is a JSON value, None if there is no answer. The answer to a correction is an object: the number of changed
words (`edits`) and, unless that is 0, the text before (`from`) and after (`text`).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import ValidationError

from reviewapp.lib import canonical_json, names
from reviewapp.lib.newlines import normalise_newlines
from reviewapp.lib.numbers import format_decimal, parse_decimal
from reviewapp.lib.shortening import shorten
from reviewapp.lib.word_diff import count_changed_words
from reviewapp.queues.rubric import first_error
from reviewapp.queues.rubric.criteria import Criterion

# Limits: tags per answer, and characters per tag and per text.
MAX_TAGS = 20
MAX_TAG_LENGTH = 60
MAX_TEXT_LENGTH = 20_000
MAX_CORRECTION_LENGTH = 100_000
UNCHANGED = {"edits": 0}
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


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
