"""A trace as a person reads it: the question, the answer, and around them what led there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reviewapp.traces.transcript import question_answer, span_tree, turns
from reviewapp.traces.transcript.span_tree import SpanLike, Tree
from reviewapp.traces.transcript.turns import Collected, Turn

__all__ = ["SpanLike", "Transcript", "Turn", "build"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A trace's turns in reading order.

    `system`, `earlier`, `main` and `after` share all turns out among them: the system prompts, what came before the
    question, the question up to the answer (or, without one, up to the last error), what came after. `repeats` counts
    the messages left out because they were shown before. `is_partial` says that a span has not come or not ended, or
    that the models' inputs were too many to be read.
    """

    turns: tuple[Turn, ...] = ()
    answer: Turn | None = None
    question: Turn | None = None
    system: tuple[Turn, ...] = ()
    earlier: tuple[Turn, ...] = ()
    main: tuple[Turn, ...] = ()
    later: tuple[Turn, ...] = ()
    longest: Turn | None = None
    error_count: int = 0
    tool_call_count: int = 0
    repeat_count: int = 0
    is_partial: bool = False

    @property
    def order(self) -> tuple[Turn, ...]:
        """All turns in the order they stand on the page."""
        return self.system + self.earlier + self.main + self.later


def build(spans: Sequence[SpanLike]) -> Transcript:
    """The transcript of a trace's spans, given in any order. Never raises on what a span may hold."""
    if not spans:
        return Transcript()
    grown = span_tree.grow(spans)
    found = turns.collect(grown)
    question, answer = question_answer.find(found, grown)
    return _arranged(found, grown, question, answer)


def _arranged(found: Collected, grown: Tree, question: int | None, answer: int | None) -> Transcript:
    errors = [at for at, turn in enumerate(found.turns) if turn.error] if answer is None else []
    first = {at for at in (question, answer, *errors[-1:]) if at is not None}
    begin = min(first, default=0)
    end = max(first, default=len(found.turns) - 1)
    made = [
        replace(
            turn,
            number=at + 1,
            is_answer=at == answer,
            is_featured=at in first,
            is_collapsed=at not in first and not (turn.error and at >= begin),
        )
        for at, turn in enumerate(found.turns)
    ]
    spoken = [turn for turn in made if turn.role != "system"]
    timed = [turn for turn in made if turn.is_output and turn.span.span_type in (*turns.MODEL_TYPES, "TOOL")]
    return Transcript(
        turns=tuple(made),
        answer=None if answer is None else made[answer],
        question=None if question is None else made[question],
        system=tuple(turn for turn in made if turn.role == "system"),
        earlier=tuple(turn for turn in spoken if turn.number <= begin),
        main=tuple(turn for turn in spoken if begin < turn.number <= end + 1),
        later=tuple(turn for turn in spoken if turn.number > end + 1),
        longest=max(timed, key=lambda turn: turn.span.duration, default=None),
        error_count=sum(1 for turn in made if turn.error),
        tool_call_count=sum(1 for turn in made if turn.role == "tool"),
        repeat_count=found.repeats,
        is_partial=_is_partial(found, grown),
    )


def _is_partial(found: Collected, grown: Tree) -> bool:
    has_top = any(above < 0 for above in grown.parents)
    is_over = all(span.end_time is not None for span in grown.spans)
    return found.is_cut or grown.orphans > 0 or not has_top or not is_over
