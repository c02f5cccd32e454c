"""The answers of a queue whose items several people review: one table for each question."""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from reviewapp.lib import canonical_json
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Review

SCORE = "score"
# Kinds of criteria whose answers can be compared; two texts nearly never are the same.
_KINDS = ("choice", "choices", "yes_no", "number")


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """The answers to one question: by item, by reviewer. Unsure and missing answers are left out.

    `name` is the criterion's form field, or SCORE. Numeric answers are floats, others any hashable value.
    """

    name: str
    label: str
    is_numeric: bool
    # How many different answers the scale has; 0 if that is unlimited.
    categories: int
    rows: dict[int, dict[int, Hashable]] = field(default_factory=dict)

    @property
    def reviewer_pks(self) -> list[int]:
        """Everyone who answered an item that somebody else answered too."""
        return sorted({pk for answers in self.rows.values() if len(answers) > 1 for pk in answers})

    def select_shared(self, pair: tuple[int, int] | None = None) -> dict[int, dict[int, Hashable]]:
        """The items with two answers or more; with `pair`, those that both people answered, with their answers only."""
        if pair is None:
            return {item: answers for item, answers in self.rows.items() if len(answers) > 1}
        first, second = pair
        return {
            item: {first: answers[first], second: answers[second]}
            for item, answers in self.rows.items()
            if first in answers and second in answers
        }


def count_rows(rows: Mapping[int, Mapping[int, Hashable]]) -> Counter[tuple[Any, ...]]:
    """How many items got each combination of answers, in the order of the reviewers' primary keys."""
    return Counter(tuple(answers[pk] for pk in sorted(answers)) for answers in rows.values())


def select_answers(queue: Queue) -> QuerySet[Review]:
    """The newest review of each person for each item that several people have reviewed, without unsure ones."""
    return Review.objects.filter(item__queue=queue, item__review_count__gt=1, is_latest=True, is_unsure=False)


def load_tables(queue: Queue) -> list[AnswerTable]:
    """A table for the score and for each criterion whose answers can be compared, in the order they are asked."""
    steps = int((queue.score_max - queue.score_min) / queue.score_step) + 1
    score_table = AnswerTable(SCORE, "Score", is_numeric=True, categories=steps)
    criteria = [criterion for criterion in queue.parsed_criteria if criterion.kind in _KINDS]
    tables = [_make_table(criterion) for criterion in criteria]
    # The same few texts of answers come again and again.
    parsed: dict[str, dict[str, Any]] = {}
    for item, reviewer, score, text in select_answers(queue).values_list("item_id", "reviewer_id", "score", "answers"):
        if score is not None:
            score_table.rows.setdefault(item, {})[reviewer] = float(score)
        if text == "{}":
            continue
        if text not in parsed:
            parsed[text] = canonical_json.loads(text)
        for criterion, table in zip(criteria, tables, strict=True):
            answer = _read_answer(criterion, parsed[text].get(criterion.key))
            if answer is not None:
                table.rows.setdefault(item, {})[reviewer] = answer
    return [score_table, *tables]


def _make_table(criterion: Criterion) -> AnswerTable:
    counts = {"yes_no": 2, "choice": len(criterion.options), "choices": 2 ** len(criterion.options)}
    is_numeric = criterion.kind == "number"
    return AnswerTable(
        criterion.field_name, criterion.label, is_numeric=is_numeric, categories=counts.get(criterion.kind, 0)
    )


def _read_answer(criterion: Criterion, value: Any) -> Hashable | None:
    """The answer to compare; None if there is none, or it answers an older version of another kind."""
    if criterion.kind == "yes_no":
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else None
    if criterion.kind == "choice":
        return value if isinstance(value, str) else None
    if criterion.kind == "choices":
        return ", ".join(value) if isinstance(value, list) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
