"""A trace as a person reads it: the question, the answer, and around them what led there."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reviewapp.traces import messages, tree, turns
from reviewapp.traces.messages import Message
from reviewapp.traces.tree import SpanLike, Step, Tree, steps
from reviewapp.traces.turns import Collected, Turn, bare

__all__ = ["SpanLike", "Step", "Transcript", "Turn", "build", "steps"]

LEAVES_LIMIT = 500
# A shorter text may stand in two places by chance: "yes", "refund".
TELLING_LENGTH = 24
LAST_SAID = 50


@dataclass(frozen=True, slots=True)
class Transcript:
    """A trace's turns in reading order.

    `system`, `earlier`, `main` and `after` share all turns out among them: the system prompts, what came before the
    question, the question up to the answer (or, without one, up to the last error), what came after. `repeats` counts
    the messages left out because they were shown before. `is_partial` says that a span has not come or not ended, or
    that something was too long to be read whole.
    """

    turns: tuple[Turn, ...] = ()
    answer: Turn | None = None
    question: Turn | None = None
    system: tuple[Turn, ...] = ()
    earlier: tuple[Turn, ...] = ()
    main: tuple[Turn, ...] = ()
    after: tuple[Turn, ...] = ()
    longest: Turn | None = None
    errors: int = 0
    tool_calls: int = 0
    repeats: int = 0
    is_partial: bool = False


def build(spans: Sequence[SpanLike]) -> Transcript:
    """The transcript of a trace's spans, given in any order. Never raises on what a span may hold."""
    if not spans:
        return Transcript()
    grown = tree.grow(spans)
    found = turns.collect(grown)
    top = spans[grown.top]
    if not any(turn.span.span_type in turns.MODEL_TYPES and turn.role != "error" for turn in found.turns):
        _wrap(found, top)
        answer = _last(found, lambda turn: turn.is_output and turn.span is top and turn.role != "error")
    else:
        answer = _answer(found, grown)
    question = _question(found, grown, answer)
    return _arranged(found, grown, question, answer)


def _wrap(found: Collected, top: SpanLike) -> None:
    """A trace without model calls: the top span's input before all its turns, its output after them."""
    inner = [turn for turn in found.turns if turn.span is not top or turn.error]
    found.turns = []
    for message in messages.read(top.input, "user"):
        turns.add(found, message, top, is_output=False)
    found.turns.extend(inner)
    for message in messages.read(top.output, "assistant"):
        turns.add(found, message, top, is_output=True)


def _answer(found: Collected, grown: Tree) -> int | None:
    """Where the final answer stands: what the trace returned, else the last thing the model said to the end.

    A text the trace returned and no model said becomes a turn of its own.
    """
    top = grown.spans[grown.top]
    said = [at for at, turn in enumerate(found.turns) if turn.is_output and turn.role == "assistant"]
    returned = messages.read(top.output, "assistant") if top.span_type not in turns.MODEL_TYPES else []
    if returned:
        whole = {bare(top.output), *(bare(leaf) for leaf in _leaves(top.output))}
        telling = {leaf for leaf in whole if len(leaf) >= TELLING_LENGTH}
        for at in reversed(said):
            if bare(found.turns[at].text) in whole - {""}:
                return at
        for at in said[: -LAST_SAID - 1 : -1] if telling else []:
            if telling & {bare(leaf) for leaf in _leaves(found.turns[at].text)}:
                return at
        if len(returned) == 1 and [part.kind for part in returned[0].parts] == ["text"]:
            return turns.add(found, returned[0], top, is_output=True)
    return _last_said(found, said, has_returned=bool(returned))


def _last_said(found: Collected, said: list[int], *, has_returned: bool) -> int | None:
    """The last model call's words, unless it went on to call a tool or broke."""
    final = [at for at in said if not found.turns[at].calls and _speaks(found.turns[at].message)]
    calls = [turn.span for turn in found.turns if turn.span.span_type in turns.MODEL_TYPES]
    if final and found.turns[final[-1]].span is calls[-1]:
        return final[-1]
    spoken = [at for at in said if found.turns[at].text]
    return spoken[-1] if has_returned and spoken else None


def _speaks(message: Message) -> bool:
    return not message.parts or any(part.kind != "thinking" for part in message.parts)


def _question(found: Collected, grown: Tree, answer: int | None) -> int | None:
    """Where the question stands: the trace's own input, else the last thing the user said before the answer."""
    top = grown.spans[grown.top]
    end = len(found.turns) if answer is None else answer
    asked = [at for at in range(end) if found.turns[at].role == "user" and not found.turns[at].is_output]
    given = {bare(leaf) for leaf in _leaves(top.input)} - {""}
    matched = [at for at in asked if bare(found.turns[at].text) in given]
    if matched:
        return matched[-1]
    if answer is not None:
        by_span = {id(grown.spans[at]): place for at, place in found.asked.items()}
        place = by_span.get(id(found.turns[answer].span), end)
        if place < end:
            return place
    return asked[-1] if asked else None


def _arranged(found: Collected, grown: Tree, question: int | None, answer: int | None) -> Transcript:
    last_error = _last(found, lambda turn: bool(turn.error)) if answer is None else None
    opening = {at for at in (question, answer, last_error) if at is not None}
    begin = min(opening, default=0)
    end = max(opening, default=len(found.turns) - 1)
    made = [
        replace(
            turn,
            number=at + 1,
            is_answer=at == answer,
            is_opening=at in opening,
            is_folded=at not in opening and not (turn.error and at >= begin),
        )
        for at, turn in enumerate(found.turns)
    ]
    spoken = [turn for turn in made if turn.role != "system"]
    timed = [turn for turn in made if turn.is_output]
    return Transcript(
        turns=tuple(made),
        answer=None if answer is None else made[answer],
        question=None if question is None else made[question],
        system=tuple(turn for turn in made if turn.role == "system"),
        earlier=tuple(turn for turn in spoken if turn.number <= begin),
        main=tuple(turn for turn in spoken if begin < turn.number <= end + 1),
        after=tuple(turn for turn in spoken if turn.number > end + 1),
        longest=max(timed, key=lambda turn: turn.span.duration, default=None),
        errors=sum(1 for turn in made if turn.error),
        tool_calls=sum(1 for turn in made if turn.role == "tool"),
        repeats=found.repeats,
        is_partial=_is_partial(found, grown),
    )


def _is_partial(found: Collected, grown: Tree) -> bool:
    has_top = any(above < 0 for above in grown.parents)
    is_over = all(span.end_time is not None for span in grown.spans)
    return found.is_cut or grown.orphans > 0 or not has_top or not is_over


def _last(found: Collected, is_it: Callable[[Turn], bool]) -> int | None:
    return next((at for at in range(len(found.turns) - 1, -1, -1) if is_it(found.turns[at])), None)


def _leaves(text: str) -> list[str]:
    """The texts inside a JSON text, or the text itself when it is no JSON."""
    try:
        stack = [json.loads(text)]
    except (ValueError, RecursionError):
        return [text]
    found: list[str] = []
    while stack and len(found) < LEAVES_LIMIT:
        value = stack.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return found
