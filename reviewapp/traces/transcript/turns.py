"""Turns: the messages, tool calls and errors of a trace in time order, each shown once.

A model call's input repeats the whole conversation before it; only new messages become turns. A tool's result is shown
from its own span and not again in the model input that includes it.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from reviewapp.lib import word_diff
from reviewapp.traces.transcript import agents, messages, parts, passages, span_exceptions, span_tree
from reviewapp.traces.transcript.agents import Agent
from reviewapp.traces.transcript.input_reader import InputReader, fingerprint
from reviewapp.traces.transcript.messages import Message
from reviewapp.traces.transcript.span_exceptions import SpanException
from reviewapp.traces.transcript.span_tree import SpanLike, Tree

MODEL_TYPES = span_tree.MODEL_TYPES
# For traces of very long conversations: after this many characters of input only outputs are read.
INPUT_CHARS_LIMIT = 20_000_000
NO_EXCEPTION = "This step failed without recording an exception."


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. `role` is a message's role, or "error" for an exception outside a tool.

    `is_output` separates what the span produced from what it received; `error` is "Type: message" or empty;
    `occurred_at` is the span's start for its input and its end for its output; `agents` are those that it was said in,
    outermost first, none if it is the trace's own.
    """

    role: str
    message: Message
    span: SpanLike
    occurred_at: datetime | None
    is_output: bool = False
    error: str = ""
    number: int = 0
    is_answer: bool = False
    is_featured: bool = False
    is_collapsed: bool = True
    agents: tuple[Agent, ...] = ()

    @property
    def text(self) -> str:
        """The turn's text, without calls, results and thinking."""
        texts = [part.text for part in self.message.parts if part.kind in ("text", "json", "code", "refusal")]
        return "\n\n".join(texts)

    @property
    def result_text(self) -> str:
        """The text, or the arguments of the calls that stand for it."""
        calls = [part.text for part in self.message.parts if part.kind == "tool_call"]
        return self.text or "\n\n".join(calls)

    @property
    def step_name(self) -> str:
        """The name by which a filter finds its step: the tool's, the span's that produced it, or else its role."""
        if self.role == "tool":
            return self.message.name or self.span.name
        return self.span.name if self.is_output or self.error else self.role

    @property
    def char_count(self) -> int:
        """The number of characters, omitted ones included."""
        return sum(len(part.text) + part.omitted_chars for part in self.message.parts)

    @property
    def word_count(self) -> int:
        """The number of words; of characters in scripts without spaces between words."""
        return sum(len(word_diff.split_words(part.text)) for part in self.message.parts)

    @property
    def calls(self) -> tuple[str, ...]:
        """The names of the tools it calls."""
        return tuple(part.name for part in self.message.parts if part.kind == "tool_call")


@dataclass(slots=True)
class TurnCollection:
    """The turns collected so far, and what is needed to skip repeats. A turn index is a position in `turns`."""

    turns: list[Turn] = field(default_factory=list)
    repeat_count: int = 0
    is_cut: bool = False
    # Span index -> turn index of the last user message in its input.
    last_user_turns: dict[int, int] = field(default_factory=dict)
    # Fingerprint -> turn index of each occurrence of the message.
    turns_by_fingerprint: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    # Tool name -> turn indexes of tool spans whose result no message has repeated yet.
    unrepeated_results: defaultdict[str, dict[int, None]] = field(default_factory=lambda: defaultdict(dict))
    tool_names_by_call_id: dict[str, str] = field(default_factory=dict)
    remaining_input_chars: int = INPUT_CHARS_LIMIT
    input_reader: InputReader = field(default_factory=InputReader)
    # Span (by id()) -> the agents that it is in.
    agents_by_span: dict[int, tuple[Agent, ...]] = field(default_factory=dict)


def collect_turns(tree: Tree) -> TurnCollection:
    """Collect the turns of a trace's model spans, tool spans and exceptions, in time order."""
    paths = agents.find_paths(tree)
    collection = TurnCollection(agents_by_span={id(tree.spans[index]): path for index, path in paths.items()})
    for _, index, kind in _sort_entries(_find_entries(tree), tree, paths):
        if kind == "model":
            _add_model_turns(collection, tree, index)
        elif kind == "tool":
            _add_tool_turn(collection, tree, index)
        else:
            _add_exception_turns(collection, tree, index)
    return collection


def add_turn(collection: TurnCollection, message: Message, span: SpanLike, *, is_output: bool, error: str = "") -> int:
    """Append a turn and return its index."""
    occurred_at = span.end_time if is_output else span.start_time
    collection.turns.append(Turn(message.role, message, span, occurred_at, is_output, error))
    for part in message.parts:
        if part.kind == "tool_call" and part.call_id:
            collection.tool_names_by_call_id[part.call_id] = part.name
    return len(collection.turns) - 1


def _sort_entries(
    entries: list[tuple[float, int, str]], tree: Tree, paths: dict[int, tuple[Agent, ...]]
) -> list[tuple[float, int, str]]:
    """Return the entries in time order, with those of an agent together where it began."""

    def key(entry: tuple[float, int, str]) -> tuple[float, ...]:
        seconds, index, _ = entry
        path = paths.get(index, ())
        return (*(number for agent in path for number in (tree.starts[agent.index], agent.index)), seconds, index)

    return sorted(entries, key=key)


def _find_entries(tree: Tree) -> list[tuple[float, int, str]]:
    """Return (seconds, span index, kind) of each model call, tool call and exception to show."""
    model_ancestors = _find_model_ancestors(tree)
    entries = []
    for index, span in enumerate(tree.spans):
        if span.span_type in MODEL_TYPES and index not in model_ancestors:
            entries.append((tree.starts[index], index, "model"))
        elif span.span_type == "TOOL":
            # A tool that called a model itself has its result after that model's turns.
            seconds = span_tree.end_seconds(tree, index) if index in model_ancestors else tree.starts[index]
            entries.append((seconds, index, "tool"))
        elif _is_retrieval(tree, index):
            entries.append((tree.starts[index], index, "tool"))
        elif _own_exceptions(tree, index):
            entries.append((span_tree.end_seconds(tree, index), index, "exceptions"))
    return entries


def _is_retrieval(tree: Tree, index: int) -> bool:
    """Whether a span returned passages that no tool or retrieval around it returned."""
    span, parent = tree.spans[index], tree.parents[index]
    if not passages.is_retrieval_name(span.name) or not passages.read(span.output):
        return False
    if parent < 0:
        return False
    outer = tree.spans[parent]
    return outer.span_type != "TOOL" and not (passages.is_retrieval_name(outer.name) and passages.read(outer.output))


def _find_model_ancestors(tree: Tree) -> set[int]:
    """Return the spans that have a non-empty model span below them."""
    ancestors: set[int] = set()
    for index, span in enumerate(tree.spans):
        if span.span_type in MODEL_TYPES and (span.input or span.output):
            parent = tree.parents[index]
            while parent >= 0 and parent not in ancestors:
                ancestors.add(parent)
                parent = tree.parents[parent]
    return ancestors


def _add_model_turns(collection: TurnCollection, tree: Tree, span_index: int) -> None:
    span, counts = tree.spans[span_index], Counter[str]()
    collection.remaining_input_chars -= len(span.input)
    has_budget = collection.remaining_input_chars >= 0
    collection.is_cut = collection.is_cut or not has_budget
    for message, key in collection.input_reader.read(span.input) if has_budget else []:
        counts[key] += 1
        turn_indexes = collection.turns_by_fingerprint[key]
        turn_index = _find_earlier_turn(collection, message, key, counts[key])
        collection.repeat_count += turn_index is not None
        if turn_index is None:
            turn_index = add_turn(collection, message, span, is_output=False)
        if counts[key] > len(turn_indexes):
            turn_indexes.append(turn_index)
        if message.role == "user":
            collection.last_user_turns[span_index] = turn_index
    for message in messages.read_output(span.output):
        turn_index = add_turn(collection, message, span, is_output=True)
        collection.turns_by_fingerprint[fingerprint(message)].append(turn_index)
    _add_exception_turns(collection, tree, span_index)


def _find_earlier_turn(collection: TurnCollection, message: Message, key: str, occurrence: int) -> int | None:
    """Return the index of the turn that already shows the message; `occurrence` numbers equal messages in one input."""
    turn_indexes = collection.turns_by_fingerprint.get(key, [])
    unrepeated: dict[int, None] = {}
    if message.role == "tool" and message.parts:
        unrepeated = collection.unrepeated_results[_tool_name(collection, message)]
    if occurrence <= len(turn_indexes):
        turn_index = turn_indexes[occurrence - 1]
        unrepeated.pop(turn_index, None)
        return turn_index
    oldest = next(iter(unrepeated), None)
    if oldest is not None:
        del unrepeated[oldest]
    return oldest


def _tool_name(collection: TurnCollection, message: Message) -> str:
    return message.name or collection.tool_names_by_call_id.get(message.parts[0].call_id, "")


def _add_tool_turn(collection: TurnCollection, tree: Tree, span_index: int) -> None:
    span = tree.spans[span_index]
    exceptions = _own_exceptions(tree, span_index)
    call = parts.make("tool_call", _unwrap_tool_text(span.input), span.name)
    results = []
    if span.output or not exceptions:
        results.append(parts.make("tool_result", _unwrap_tool_text(span.output), span.name))
    stacks = [parts.make("code", exception.stack, "pytb") for exception in exceptions if exception.stack]
    message = Message("tool", (call, *results, *stacks), span.name)
    error = "\n".join(exception.text for exception in exceptions)
    turn_index = add_turn(collection, message, span, is_output=True, error=error)
    if results:
        collection.turns_by_fingerprint[fingerprint(message)].append(turn_index)
    collection.unrepeated_results[span.name][turn_index] = None


def _add_exception_turns(collection: TurnCollection, tree: Tree, span_index: int) -> None:
    span = tree.spans[span_index]
    for exception in _own_exceptions(tree, span_index):
        stacks = (parts.make("code", exception.stack, "pytb"),) if exception.stack else ()
        occurred_at = exception.occurred_at or span.end_time
        collection.turns.append(Turn("error", Message("data", stacks), span, occurred_at, True, exception.text))


def _own_exceptions(tree: Tree, span_index: int) -> list[SpanException]:
    """Return a span's own exceptions: one that only propagated from a child belongs to the child."""
    span, children = tree.spans[span_index], tree.children[span_index]
    by_text = {exception.text: exception for exception in span_exceptions.read(span.events)}
    if not by_text and span.span_type in (*MODEL_TYPES, "TOOL") and span_tree.is_error(span):
        has_failed_child = any(span_tree.is_error(tree.spans[child]) for child in children)
        return [] if has_failed_child else [SpanException(NO_EXCEPTION, occurred_at=span.end_time)]
    if not by_text:
        return []
    propagated = {exception.text for child in children for exception in span_exceptions.read(tree.spans[child].events)}
    return [exception for text, exception in by_text.items() if text not in propagated]


def _unwrap_tool_text(text: str) -> str:
    """Return a tool's text: a JSON string without its quotes, a result without LangChain's tool message around it."""
    is_string = text.startswith('"')
    read_messages = messages.read(text) if is_string or '"tool_call_id"' in text else []
    read_parts = read_messages[0].parts if len(read_messages) == 1 else ()
    is_wrapped = len(read_parts) == 1 and (is_string or read_parts[0].kind == "tool_result")
    return read_parts[0].text if is_wrapped else text
