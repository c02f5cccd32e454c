"""Which answer of a review counts as a failure: a low score, the flag, or an option of a criterion."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.criteria import Criterion

FLAG = "needs_review"
_SCORE = "score"


@dataclass(frozen=True, slots=True)
class FailureTest:
    """Whether a review says that its trace failed. `name` identifies the test in URLs, `label` says it in words."""

    name: str
    label: str
    # The score up to which a review counts as a failure; or a criterion's key with the answer that does.
    max_score: Decimal | None = None
    key: str = ""
    answer: Any = None

    def has_failed(self, score: Decimal | None, answers: Mapping[str, Any], *, needs_review: bool) -> bool | None:
        """None if the review does not answer the question."""
        if self.max_score is not None:
            return None if score is None else score <= self.max_score
        if not self.key:
            return needs_review
        value = answers.get(self.key)
        if value is None:
            return None
        return self.answer in value if isinstance(value, list) else value == self.answer


def list_tests(queue: Queue) -> list[FailureTest]:
    """The tests that the queue's rubric offers, the likeliest first: for two scores, the lower one."""
    scores = queue.score_choices or queue.quick_scores
    words = {option.value: option.label for option in queue.score_options}
    is_pass_fail = len(scores) == 2
    score_tests = []
    for score in scores[:-1]:
        text = format_decimal(score)
        label = f"score is {words.get(text, text)}" if is_pass_fail else f"score is at most {text}"
        score_tests.append(FailureTest(f"{_SCORE}:{text}", label, max_score=score))
    flag = FailureTest(FLAG, "flagged as needs review")
    first = [*score_tests, flag] if is_pass_fail else [flag, *score_tests]
    return first + [test for criterion in queue.parsed_criteria for test in _list_criterion_tests(criterion)]


def _list_criterion_tests(criterion: Criterion) -> list[FailureTest]:
    if criterion.kind == "yes_no":
        options: list[tuple[str, Any]] = [("no", False), ("yes", True)]
    elif criterion.kind in ("choice", "choices"):
        options = [(option.value, option.value) for option in criterion.options]
    else:
        return []
    return [
        FailureTest(f"{criterion.key}:{word}", f"{criterion.label}: {word}", key=criterion.key, answer=answer)
        for word, answer in options
    ]
