"""What a queue would push for an item that two people reviewed differently: an example for its settings page."""

import json
from decimal import Decimal
from typing import Any

from reviewapp.accounts.models import User
from reviewapp.lib import canonical_json
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.answer_values import build_correction
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews import combining, pushing
from reviewapp.reviews.pushing import Answers

FIRST_REVIEWER, SECOND_REVIEWER = "ana", "ben"


def list_examples(queue: Queue) -> list[tuple[str, str]]:
    """For each of two example reviews and for each way to push them: a label, and the metadata as indented JSON."""
    votes = {
        FIRST_REVIEWER: _answer(queue, queue.score_max, "Right and complete.", 0, needs_review=False),
        SECOND_REVIEWER: _answer(queue, queue.score_min, "The date is wrong.", 1, needs_review=True),
    }
    latest = pushing.patch_for(queue, User(username=SECOND_REVIEWER), votes[SECOND_REVIEWER], rev=1)
    combined = pushing.patch_for(queue, User(username=""), combining.combine(queue, votes), rev=1)
    first = pushing.patch_for(queue, User(username=FIRST_REVIEWER), votes[FIRST_REVIEWER], rev=1)
    return [
        (f"{FIRST_REVIEWER} answers first", _dump(first)),
        (f"{SECOND_REVIEWER} answers second, which is what “the latest review” pushes", _dump(latest)),
        ("What “all answers combined” pushes", _dump(combined | combining.describe_votes(queue, votes))),
    ]


def _answer(queue: Queue, score: Decimal, notes: str, number: int, *, needs_review: bool) -> Answers:
    answers = {criterion.key: _pick_answer(criterion, number) for criterion in queue.parsed_criteria}
    return Answers(score, notes, needs_review, {key: value for key, value in answers.items() if value is not None})


def _pick_answer(criterion: Criterion, number: int) -> Any:
    """The answer of the first example (`number` 0) or the second (1); None to a first error, which needs a trace."""
    options = [option.value for option in criterion.options] or ["example"]
    text = options[min(number, len(options) - 1)]
    low, high = criterion.low, criterion.high
    if low is None:
        low = Decimal(0) if high is None else high - 1
    limits = (low, low + 1 if high is None else high)
    answers = {
        "number": canonical_json.normalize(limits[1 - number]), "yes_no": number == 0, "choice": text,
        "choices": [text], "tags": [text], "text": ("It is clear.", "It is too long.")[number],
        "correction": build_correction("Paris", ("Paris", "Paris, France")[number]),
    }  # fmt: skip
    return answers.get(criterion.kind)


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(canonical_json.loads(canonical_json.dumps(values)), ensure_ascii=False, indent=2)
