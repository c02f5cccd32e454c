"""A trace as a person reads it: the question, the answer, and what happened in between."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reviewapp.traces.transcript import question_answer, span_tree, turns
from reviewapp.traces.transcript.span_tree import SpanLike, Tree
from reviewapp.traces.transcript.turns import Turn, TurnCollection

__all__ = ["SpanLike", "Transcript", "Turn", "build"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A trace's turns in reading order.

    `system`, `earlier`, `main` and `later` partition all turns: the system prompts, what came before the question, the
    question up to the answer (or, without one, up to the last error), and what came after. `repeat_count` counts the
    messages omitted because they were shown before. `is_partial` means that a span is missing or has not ended, or that
    the models' inputs were too long to read in full.
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
        """All turns in page order."""
        return self.system + self.earlier + self.main + self.later


def build(spans: Sequence[SpanLike]) -> Transcript:
    """Build the transcript of a trace's spans, passed in any order. Never raises, whatever the spans contain."""
    if not spans:
        return Transcript()
    tree = span_tree.build_tree(spans)
    collection = turns.collect_turns(tree)
    question, answer = question_answer.find_question_answer(collection, tree)
    return _arrange(collection, tree, question, answer)


def _arrange(collection: TurnCollection, tree: Tree, question: int | None, answer: int | None) -> Transcript:
    errors = [index for index, turn in enumerate(collection.turns) if turn.error] if answer is None else []
    featured = {index for index in (question, answer, *errors[-1:]) if index is not None}
    begin = min(featured, default=0)
    end = max(featured, default=len(collection.turns) - 1)
    all_turns = [
        replace(
            turn,
            number=index + 1,
            is_answer=index == answer,
            is_featured=index in featured,
            is_collapsed=index not in featured and not (turn.error and index >= begin),
            agents=() if index in featured else collection.agents_by_span.get(id(turn.span), ()),
        )
        for index, turn in enumerate(collection.turns)
    ]
    # An agent's own instructions stay with it.
    system = [turn for turn in all_turns if turn.role == "system" and not turn.agents]
    conversation = [turn for turn in all_turns if turn.role != "system" or turn.agents]
    timed = [turn for turn in all_turns if turn.is_output and turn.span.span_type in (*turns.MODEL_TYPES, "TOOL")]
    return Transcript(
        turns=tuple(all_turns),
        answer=None if answer is None else all_turns[answer],
        question=None if question is None else all_turns[question],
        system=tuple(system),
        earlier=tuple(turn for turn in conversation if turn.number <= begin),
        main=tuple(turn for turn in conversation if begin < turn.number <= end + 1),
        later=tuple(turn for turn in conversation if turn.number > end + 1),
        longest=max(timed, key=lambda turn: turn.span.duration, default=None),
        error_count=sum(1 for turn in all_turns if turn.error),
        tool_call_count=sum(1 for turn in all_turns if turn.role == "tool"),
        repeat_count=collection.repeat_count,
        is_partial=_is_partial(collection, tree),
    )


def _is_partial(collection: TurnCollection, tree: Tree) -> bool:
    has_root = any(parent < 0 for parent in tree.parents)
    is_finished = all(span.end_time is not None for span in tree.spans)
    return collection.is_cut or tree.orphans > 0 or not has_root or not is_finished
