"""Combine the answers of an item's reviewers into one: what is pushed where a queue combines them.

An unsure person's answers are missing, except for their notes and their flag.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import combinations
from typing import Any, TypeVar

from reviewapp.lib import canonical_json
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers

_FOUR_DECIMALS = Decimal("0.0001")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "choice": str, "choices": list, "yes_no": bool, "number": (int, float, Decimal), "text": str,
    "tags": list,
}  # fmt: skip
# Kinds of which two answers are the same or not; two texts nearly never are.
_COMPARABLE_KINDS = ("choice", "choices", "yes_no", "number")
V = TypeVar("V")


def load_votes(item: QueueItem) -> dict[str, Answers]:
    """The newest answers of each of the item's reviewers, by user name."""
    reviews = Review.objects.filter(item=item, is_latest=True).select_related("reviewer")
    return {review.reviewer.username: load_answers(review) for review in reviews.order_by("reviewer__username")}


def load_answers(review: Review) -> Answers:
    """The answers of a saved review."""
    return Answers(
        review.score, review.notes, review.needs_review, review.criterion_answers, review.is_unsure,
        review.keeps_notes_here, frozenset(canonical_json.loads(review.unpushed_keys)),
    )  # fmt: skip


def store_disagreement(item: QueueItem, rubric: Queue) -> Decimal:
    """Store how much the answers of the item's reviewers differ, in the transaction that changes one of them."""
    decided = {name: answers for name, answers in load_votes(item).items() if not answers.is_unsure}
    agreement = measure_agreement(rubric, decided)
    disagreement = Decimal(0) if agreement is None else 1 - agreement
    QueueItem.objects.filter(pk=item.pk).update(disagreement=disagreement)
    return disagreement


def combine(rubric: Queue, votes: Mapping[str, Answers]) -> Answers:
    """Combine answers by user name into one answer to each question, None where they have no majority.

    What a person chose not to push is left out.
    """
    decided = {name: answers for name, answers in votes.items() if not answers.is_unsure}
    notes = {name: answers.notes for name, answers in votes.items() if answers.notes and not answers.keeps_notes_here}
    scores = [answers.score for answers in decided.values() if answers.score is not None]
    combined = {
        criterion.key: _COMBINERS[criterion.kind](values)
        for criterion in rubric.parsed_criteria
        if (values := _list_values(criterion, decided))
    }
    return Answers(
        score=compute_mean(scores) if scores else None,
        notes=join_texts(notes),
        needs_review=any(answers.needs_review for answers in votes.values()),
        criterion_answers={key: value for key, value in combined.items() if value is not None},
    )


def describe_votes(rubric: Queue, votes: Mapping[str, Answers]) -> dict[str, Any]:
    """The metadata that says whose answers were combined, keys with the queue's prefix."""
    decided = {name: answers for name, answers in votes.items() if not answers.is_unsure}
    values: dict[str, Any] = {rubric.builtin_keys["reviewer"]: ", ".join(decided)}
    if rubric.pushes_agreement:
        reviewers_key, agreement_key = rubric.agreement_keys
        values |= {reviewers_key: len(decided), agreement_key: measure_agreement(rubric, decided)}
    return values


def measure_agreement(rubric: Queue, votes: Mapping[str, Answers]) -> Decimal | None:
    """The share of equal pairs of answers, the mean of all questions; None if no two people answered one."""
    columns: list[list[Any]] = [[answers.score for answers in votes.values() if answers.score is not None]]
    compared = [criterion for criterion in rubric.parsed_criteria if criterion.kind in _COMPARABLE_KINDS]
    columns += [list(_list_values(criterion, votes).values()) for criterion in compared]
    shares = []
    for column in columns:
        pairs = [first == second for first, second in combinations(column, 2)]
        if pairs:
            shares.append(Decimal(sum(pairs)) / len(pairs))
    return compute_mean(shares) if shares else None


def compute_mean(numbers: Sequence[Decimal]) -> Decimal:
    """The mean of some numbers, rounded to four decimals."""
    mean = sum(numbers, Decimal(0)) / len(numbers)
    return mean.quantize(_FOUR_DECIMALS, ROUND_HALF_EVEN).normalize()


def find_majority(values: Sequence[V], key: Callable[[V], Hashable]) -> V | None:
    """The value that more than half of the values equal by `key`; None if there is none."""
    [(most_common, count)] = Counter(map(key, values)).most_common(1)
    return next(value for value in values if key(value) == most_common) if count * 2 > len(values) else None


def join_texts(texts: Mapping[str, str]) -> str:
    """One text of all texts by user name; different ones follow each other, each after its name."""
    distinct = list(dict.fromkeys(texts.values()))
    return distinct[0] if len(distinct) == 1 else "\n\n".join(f"{name}: {text}" for name, text in texts.items())


def _list_values(criterion: Criterion, votes: Mapping[str, Answers]) -> dict[str, Any]:
    """The pushed answers to a criterion by user name, without those to an older version that had another kind."""
    values = {name: answers.pushed_answer(criterion.key) for name, answers in votes.items()}
    return {name: value for name, value in values.items() if _is_of_kind(criterion, value)}


def _is_of_kind(criterion: Criterion, value: Any) -> bool:
    if criterion.kind == "first_error":
        return isinstance(value, dict) and "at" in value
    if criterion.kind == "correction":
        return isinstance(value, dict) and "edits" in value
    is_bool = isinstance(value, bool)
    return isinstance(value, _TYPES[criterion.kind]) and is_bool == (criterion.kind == "yes_no")


def _combine_numbers(values: Mapping[str, Any]) -> Any:
    return canonical_json.normalize(compute_mean([Decimal(str(value)) for value in values.values()]))


def _combine_choices(values: Mapping[str, list[str]]) -> list[str] | None:
    """The options that more than half of the people chose, in the order in which they come up."""
    options = dict.fromkeys(option for chosen in values.values() for option in chosen)
    counts = {option: sum(option in chosen for chosen in values.values()) for option in options}
    return [option for option, count in counts.items() if count * 2 > len(values)] or None


def _combine_tags(values: Mapping[str, list[str]]) -> list[str]:
    """All tags: they are only ever added to a trace."""
    return list(dict.fromkeys(name for names in values.values() for name in names))


_COMBINERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "number": _combine_numbers,
    "choice": lambda values: find_majority(list(values.values()), str),
    "choices": _combine_choices,
    "yes_no": lambda values: find_majority(list(values.values()), bool),
    "text": join_texts,
    "correction": lambda values: find_majority(list(values.values()), lambda value: value.get("text")),
    "tags": _combine_tags,
    "first_error": lambda values: find_majority(list(values.values()), lambda value: str(value["at"])),
}
