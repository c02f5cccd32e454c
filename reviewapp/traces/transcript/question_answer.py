"""What to read first: the question and the final answer of a trace.

The trace takes precedence over its models: the top span's input and output say what the trace was about.
"""

import json

from reviewapp.traces.transcript import messages, side_calls, turns
from reviewapp.traces.transcript.input_reader import strip_whitespace
from reviewapp.traces.transcript.messages import Message
from reviewapp.traces.transcript.parts import Part
from reviewapp.traces.transcript.span_tree import SpanLike, Tree
from reviewapp.traces.transcript.turns import Turn, TurnCollection

LEAVES_LIMIT = 500
# In characters without white space. A shorter text may match by chance: "yes", "refund".
DISTINCTIVE_LENGTH = 24
# How many of the last assistant turns are searched for a distinctive text.
RECENT_TURNS = 50


def find_question_answer(collection: TurnCollection, tree: Tree) -> tuple[int | None, int | None]:
    """Return the turn indexes of the question and the answer; a missing one is added from the top span if possible."""
    top = tree.spans[tree.top]
    if not any(turn.span.span_type in turns.MODEL_TYPES and turn.role != "error" for turn in collection.turns):
        _add_top_span_turns(collection, top)
        outputs = [
            index
            for index, turn in enumerate(collection.turns)
            if turn.is_output and turn.span is top and not turn.error and not turn.message.is_alternative
        ]
        answer = _last([index for index in outputs if _has_content(collection.turns[index].message)])
        if answer is None:
            answer = _find_last_tool_turn(collection)
        return _find_question(collection, tree, answer), answer
    answer = _find_answer(collection, tree)
    is_known = (
        top.span_type in (*turns.MODEL_TYPES, "TOOL")
        or _find_top_question(collection, top, len(collection.turns)) is not None
    )
    is_answer_of_top = answer is not None and collection.turns[answer].span is top
    top_messages = messages.read(top.input, "user")
    if is_known or not top_messages or not (is_answer_of_top or _is_sentence(top_messages)):
        return _find_question(collection, tree, answer), answer
    # The models' prompts worded it differently: put the trace's own input first.
    collection.turns.insert(0, Turn(top_messages[-1].role, top_messages[-1], top, top.start_time))
    return 0, None if answer is None else answer + 1


def _is_sentence(top_messages: list[Message]) -> bool:
    """Whether a top span's input is a single text that reads like a question and not like a name."""
    if len(top_messages) != 1 or top_messages[0].role != "user":
        return False
    if [part.kind for part in top_messages[0].parts] != ["text"]:
        return False
    text = top_messages[0].parts[0].text
    return not text.isascii() or len(text.split()) > 1


def _add_top_span_turns(collection: TurnCollection, top: SpanLike) -> None:
    """For a trace without model calls, put the top span's input before all turns and its output after them."""
    inner = [turn for turn in collection.turns if turn.span is not top or turn.error]
    collection.turns = []
    for message in messages.read(top.input, "user"):
        turns.add_turn(collection, message, top, is_output=False)
    collection.turns.extend(inner)
    for message in messages.read_output(top.output):
        turns.add_turn(collection, message, top, is_output=True)


def _find_answer(collection: TurnCollection, tree: Tree) -> int | None:
    """Return the turn with the trace's output, else the last complete text of the model.

    An output that no model produced becomes a turn of its own: a text always, JSON only if the question is the trace's
    own input too and not a user's message.
    """
    top = tree.spans[tree.top]
    candidates, others = _find_assistant_turns(collection, tree)
    returned = messages.read_output(top.output) if top.span_type not in turns.MODEL_TYPES else []
    if returned:
        match = _find_returned_turn(collection, others + candidates, top.output)
        if match is not None:
            return match
        kinds = [part.kind for message in returned for part in message.parts]
        is_own_json = kinds == ["json"] and _find_top_question(collection, top, len(collection.turns)) is None
        if kinds == ["text"] or is_own_json:
            return turns.add_turn(collection, returned[0], top, is_output=True)
    return _find_last_text(collection, candidates, others, has_output=bool(returned))


def _find_assistant_turns(collection: TurnCollection, tree: Tree) -> tuple[list[int], list[int]]:
    """Return what the models said as an answer, and the rest: alternatives to it, and calls beside the conversation."""
    model_indexes = [index for index, span in enumerate(tree.spans) if span.span_type in turns.MODEL_TYPES]
    side_spans = {id(tree.spans[index]) for index in side_calls.find_side_spans(tree, model_indexes)}
    candidates: list[int] = []
    others: list[int] = []
    for index, turn in enumerate(collection.turns):
        if turn.is_output and turn.role == "assistant":
            is_other = turn.message.is_alternative or id(turn.span) in side_spans
            (others if is_other else candidates).append(index)
    return (candidates, others) if candidates else (others, [])


def _find_returned_turn(collection: TurnCollection, assistant_turns: list[int], output: str) -> int | None:
    """Return the last turn equal to the trace's output or a text in it, else one that shares a long text with it."""
    texts = {strip_whitespace(output), *(strip_whitespace(leaf) for leaf in _leaves(output))} - {""}
    distinctive = {text for text in texts if len(text) >= DISTINCTIVE_LENGTH}
    for index in reversed(assistant_turns):
        turn = collection.turns[index]
        if strip_whitespace(turn.text or turn.result_text) in texts:
            return index
    for index in assistant_turns[: -RECENT_TURNS - 1 : -1] if distinctive else []:
        if distinctive & {strip_whitespace(leaf) for leaf in _leaves(collection.turns[index].text)}:
            return index
    return None


def _find_last_text(
    collection: TurnCollection, candidates: list[int], others: list[int], *, has_output: bool
) -> int | None:
    """Return the last model call's text or the call it ended with, unless that call was carried out or failed."""
    final = [
        index
        for index in candidates
        if not collection.turns[index].calls and _has_content(collection.turns[index].message)
    ]
    other_spans = {id(collection.turns[index].span) for index in others}
    model_turns = [
        index
        for index, turn in enumerate(collection.turns)
        if turn.span.span_type in turns.MODEL_TYPES and id(turn.span) not in other_spans
    ]
    last_span = collection.turns[model_turns[-1]].span if model_turns else None
    if final and (last_span is None or collection.turns[final[-1]].span is last_span):
        return final[-1]
    with_text = [index for index in candidates if collection.turns[index].text]
    if has_output and with_text:
        return with_text[-1]
    return _find_result_call(collection, candidates)


def _find_result_call(collection: TurnCollection, candidates: list[int]) -> int | None:
    """Return the call that the trace ends with: the model's, or the tool's turn if it was carried out."""
    index = _last(candidates)
    if index is None or not collection.turns[index].calls:
        return None
    is_followed = any(turn.role in ("tool", "error") for turn in collection.turns[index + 1 :])
    return _find_last_tool_turn(collection) if is_followed else index


def _find_last_tool_turn(collection: TurnCollection) -> int | None:
    """Return the last turn if a tool ended there without an error; what came back to nobody as text is left out."""
    for index in range(len(collection.turns) - 1, -1, -1):
        turn = collection.turns[index]
        if turn.error or (turn.role != "tool" and _has_content(turn.message)):
            return None
        if turn.role == "tool":
            return index
    return None


def _has_content(message: Message) -> bool:
    """Whether there is anything to show of a message besides the model's thinking."""
    return any(part.kind != "thinking" and _is_visible(part) for part in message.parts)


def _is_visible(part: Part) -> bool:
    return bool(part.text.strip() or part.media or part.name)


def _find_question(collection: TurnCollection, tree: Tree, answer: int | None) -> int | None:
    """Return the turn with the trace's own input, else the last user message before the answer."""
    end = len(collection.turns) if answer is None else answer
    match = _find_top_question(collection, tree.spans[tree.top], end)
    if match is not None:
        return match
    if answer is not None:
        by_span = {id(tree.spans[span_index]): turn for span_index, turn in collection.last_user_turns.items()}
        question = by_span.get(id(collection.turns[answer].span), end)
        if question < end:
            return question
    return _last(_user_turns(collection, end))


def _find_top_question(collection: TurnCollection, top: SpanLike, end: int) -> int | None:
    """Return the last user turn before `end` that equals, or is inside, the top span's input."""
    texts = {strip_whitespace(leaf) for leaf in _leaves(top.input)} - {""}
    matches = [i for i in _user_turns(collection, end) if strip_whitespace(collection.turns[i].text) in texts]
    return _last(matches)


def _user_turns(collection: TurnCollection, end: int) -> list[int]:
    """Return the user messages before `end`; those to an agent inside the trace only if there are no others."""
    indexes = [i for i in range(end) if collection.turns[i].role == "user" and not collection.turns[i].is_output]
    own = [i for i in indexes if id(collection.turns[i].span) not in collection.agents_by_span]
    return own or indexes


def _last(indexes: list[int]) -> int | None:
    return indexes[-1] if indexes else None


def _leaves(text: str) -> list[str]:
    """Return the strings inside a JSON text, or the text itself if it is not JSON."""
    try:
        stack = [json.loads(text)]
    except (ValueError, RecursionError):
        return [text]
    leaves: list[str] = []
    while stack and len(leaves) < LEAVES_LIMIT:
        value = stack.pop()
        if isinstance(value, str):
            leaves.append(value)
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return leaves
