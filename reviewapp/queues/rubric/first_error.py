"""The first error of a trace: the turn or step that a reviewer marked, and the passage they selected in it.

In the form it is one text: `turn-3 search_docs` or `step-<span id> search_docs`, and the passage from the next line on.
"""

import re
from typing import Any

from django.core.exceptions import ValidationError

# Characters of a step's name, which a trace has 300 of, hidden ones written out; and of a passage.
MAX_STEP_LENGTH = 2_000
MAX_QUOTE_LENGTH = 500
_PLACE = re.compile(r"(turn-[0-9]{1,9}|step-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) (\S[^\n]*)", re.ASCII)
_INVALID = "The mark of the first error is not readable. Remove it and mark the place again."


def format_field(place: str, step: str, quote: str = "") -> str:
    """Return the form's text for a place. A name is one line: its line breaks and runs of blanks become one blank."""
    return f"{place} {' '.join(step.split()) or 'unnamed'}\n{quote}".strip()


def parse_field(text: str) -> dict[str, str]:
    """Return the place (`at`), the step's name and the quote of a form's text. Raises ValidationError."""
    first_line, _, quote = text.partition("\n")
    match, quote = _PLACE.fullmatch(first_line.strip()), quote.strip()
    if match is None or len(match[2]) > MAX_STEP_LENGTH:
        raise ValidationError(_INVALID)
    if len(quote) > MAX_QUOTE_LENGTH:
        raise ValidationError(
            f"The selected passage has {len(quote):,} characters. The maximum is {MAX_QUOTE_LENGTH}. Select less of it."
        )
    return {"at": match[1], "step": match[2], "quote": quote}


def describe(value: dict[str, Any]) -> str:
    """Describe a marked place for people: `search_docs (turn 3): “the passage”`."""
    turn = f" (turn {value['at'].removeprefix('turn-')})" if value["at"].startswith("turn-") else ""
    quote = f": “{value['quote']}”" if value["quote"] else ""
    return f"{value['step']}{turn}{quote}"
