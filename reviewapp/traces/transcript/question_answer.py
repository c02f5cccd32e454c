"""What to read first: the question and the final answer of a trace.

A trace is believed before its models: what its top span was given and returned says what it was about.
"""

import json

from reviewapp.traces.transcript import messages, turns
from reviewapp.traces.transcript.input_reader import bare
from reviewapp.traces.transcript.messages import Message
from reviewapp.traces.transcript.span_tree import SpanLike, Tree
from reviewapp.traces.transcript.turns import Collected, Turn

LEAVES_LIMIT = 500
# A shorter text may stand in two places by chance: "yes", "refund".
TELLING_LENGTH = 24
LAST_SAID = 50


def find(found: Collected, grown: Tree) -> tuple[int | None, int | None]:
    """Where the question and the answer stand among the turns; a missing one is made from the top span if it can be."""
    top = grown.spans[grown.top]
    if not any(turn.span.span_type in turns.MODEL_TYPES and turn.role != "error" for turn in found.turns):
        _wrap(found, top)
        ends = [at for at, turn in enumerate(found.turns) if turn.is_output and turn.span is top and not turn.error]
        answer = _last(ends)
        return _question(found, grown, answer), answer
    answer = _answer(found, grown)
    is_known = top.span_type in (*turns.MODEL_TYPES, "TOOL") or _asked_at_top(found, top, len(found.turns)) is not None
    is_tops_own = answer is not None and found.turns[answer].span is top
    given = messages.read(top.input, "user")
    if is_known or not given or not (is_tops_own or _is_sentence(given)):
        return _question(found, grown, answer), answer
    # The models were asked in other words: what the trace was asked goes first.
    found.turns.insert(0, Turn(given[-1].role, given[-1], top, top.start_time))
    return 0, None if answer is None else answer + 1


def _is_sentence(given: list[Message]) -> bool:
    """Whether a top span was given one text that reads like a question and not like a name."""
    if len(given) != 1 or given[0].role != "user" or [part.kind for part in given[0].parts] != ["text"]:
        return False
    text = given[0].parts[0].text
    return not text.isascii() or len(text.split()) > 1


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
    """What the trace returned, else the last thing the model said to the end.

    What the trace returned and no model said becomes a turn of its own: a text always, JSON when the question was the
    trace's own too and not a user's.
    """
    top = grown.spans[grown.top]
    said = [at for at, turn in enumerate(found.turns) if turn.is_output and turn.role == "assistant"]
    returned = messages.read(top.output, "assistant") if top.span_type not in turns.MODEL_TYPES else []
    if returned:
        match = _returned_turn(found, said, top.output)
        if match is not None:
            return match
        kinds = [part.kind for message in returned for part in message.parts]
        if kinds == ["text"] or (kinds == ["json"] and _asked_at_top(found, top, len(found.turns)) is None):
            return turns.add(found, returned[0], top, is_output=True)
    return _last_said(found, said, has_returned=bool(returned))


def _returned_turn(found: Collected, said: list[int], output: str) -> int | None:
    """The last turn that is what the trace returned or one of the texts inside it, else one that shares a long text."""
    whole = {bare(output), *(bare(leaf) for leaf in _leaves(output))} - {""}
    telling = {leaf for leaf in whole if len(leaf) >= TELLING_LENGTH}
    for at in reversed(said):
        if bare(found.turns[at].text) in whole:
            return at
    for at in said[: -LAST_SAID - 1 : -1] if telling else []:
        if telling & {bare(leaf) for leaf in _leaves(found.turns[at].text)}:
            return at
    return None


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
    """The trace's own input, else the last thing the user said before the answer."""
    end = len(found.turns) if answer is None else answer
    matched = _asked_at_top(found, grown.spans[grown.top], end)
    if matched is not None:
        return matched
    if answer is not None:
        by_span = {id(grown.spans[at]): place for at, place in found.asked.items()}
        place = by_span.get(id(found.turns[answer].span), end)
        if place < end:
            return place
    return _last(_asked(found, end))


def _asked_at_top(found: Collected, top: SpanLike, end: int) -> int | None:
    """The last user turn before `end` that is, or is inside, what the top span was given."""
    given = {bare(leaf) for leaf in _leaves(top.input)} - {""}
    return _last([at for at in _asked(found, end) if bare(found.turns[at].text) in given])


def _asked(found: Collected, end: int) -> list[int]:
    return [at for at in range(end) if found.turns[at].role == "user" and not found.turns[at].is_output]


def _last(places: list[int]) -> int | None:
    return places[-1] if places else None


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
