"""What the score's values mean, in a lead's words: one entry of a queue's criteria, {"score": [{value, help}]}."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from django.core.exceptions import ValidationError

from reviewapp.lib import canonical_json
from reviewapp.queues.rubric.criteria import MAX_OPTIONS, NUMBER, Option, format_decimal


@lru_cache(maxsize=256)
def words(text: str) -> tuple[Option, ...]:
    """What the score's values mean, as `criteria.write` wrote it."""
    told = [member["score"] for member in canonical_json.loads(text) if "score" in member]
    return tuple(Option(option["value"], option["help"]) for options in told for option in options)


def check(words: Sequence[Option], low: Decimal, high: Decimal, step: Decimal) -> None:
    """That each value with words is a score of this scale, once. Raises ValidationError."""
    for option in words:
        number = Decimal(option.value) if NUMBER.fullmatch(option.value) else None
        if number is None or not low <= number <= high or (number - low) % step:
            raise ValidationError(f"What scores mean: “{option.value[:80]}” is no score of this scale.")
    if len(words) > MAX_OPTIONS or len({option.value for option in words}) < len(words):
        raise ValidationError(f"What scores mean: give up to {MAX_OPTIONS} scores, each of them once.")


def as_number(text: str) -> str:
    """A number that was typed, as `plain` spells it; any other text as it is."""
    return format_decimal(Decimal(text.replace(",", "."))) if NUMBER.fullmatch(text) else text
