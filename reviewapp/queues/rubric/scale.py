"""The meanings of the score's values, one entry of a queue's criteria JSON: {"score": [{value, help}]}."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from django.core.exceptions import ValidationError

from reviewapp.lib import canonical_json
from reviewapp.lib.numbers import format_decimal, parse_decimal
from reviewapp.lib.shortening import shorten
from reviewapp.queues.rubric.criteria import MAX_OPTIONS, Option


@lru_cache(maxsize=256)
def parse_score_words(text: str) -> tuple[Option, ...]:
    """Parse the meanings of scores from the JSON text that `criteria.dump_criteria` writes."""
    entries = [member["score"] for member in canonical_json.loads(text) if "score" in member]
    return tuple(Option(option["value"], option["help"]) for options in entries for option in options)


def validate_score_words(words: Sequence[Option], low: Decimal, high: Decimal, step: Decimal) -> None:
    """Check that each value with a meaning is a score of this scale and listed once. Raises ValidationError."""
    for option in words:
        number = parse_decimal(option.value)
        if number is None or not low <= number <= high or (number - low) % step:
            raise ValidationError(f"What scores mean: “{shorten(option.value, 80)}” is not a score of this scale.")
    if len(words) > MAX_OPTIONS or len({option.value for option in words}) < len(words):
        raise ValidationError(f"What scores mean: enter up to {MAX_OPTIONS} different scores.")


def normalise_number(text: str) -> str:
    """Format a typed number like `format_decimal`; return any other text unchanged."""
    number = parse_decimal(text)
    return text if number is None else format_decimal(number)
