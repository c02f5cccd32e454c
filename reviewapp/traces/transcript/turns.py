"""Turns: what was said, called and broken in a trace, in time order and each thing once.

A model call's input repeats all that went before; only what is new becomes a turn. A tool's result is shown from its
own span and not again where the model is told of it.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from reviewapp.traces.transcript import messages, parts, span_exceptions, span_tree
from reviewapp.traces.transcript.input_reader import InputReader, fingerprint
from reviewapp.traces.transcript.messages import Message
from reviewapp.traces.transcript.span_exceptions import Fault
from reviewapp.traces.transcript.span_tree import SpanLike, Tree

MODEL_TYPES = ("LLM", "CACHED")
# A trace of very long conversations: beyond this many characters of input only outputs are read.
READ_LIMIT = 20_000_000
NO_EXCEPTION = "This step failed without recording an exception."


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. `role` is a message's role, or "error" for an exception outside a tool.

    `is_output` tells what the span itself produced from what it was given; `error` is "Type: message" or empty;
    `at` is when it was said: a span's start for its input, its end for its output.
    """

    role: str
    message: Message
    span: SpanLike
    at: datetime | None
    is_output: bool = False
    error: str = ""
    number: int = 0
    is_answer: bool = False
    is_featured: bool = False
    is_collapsed: bool = True

    @property
    def look(self) -> str:
        """What the style sheet distinguishes turns by."""
        return f"{self.role} answer" if self.is_answer else self.role

    @property
    def text(self) -> str:
        """The words of the turn, without calls, results and thoughts."""
        shown = [part.text for part in self.message.parts if part.kind in ("text", "json", "code", "refusal")]
        return "\n\n".join(shown)

    @property
    def char_count(self) -> int:
        """Characters, those that were cut included."""
        return sum(len(part.text) + part.omitted_chars for part in self.message.parts)

    @property
    def word_count(self) -> int:
        return sum(len(part.text.split()) for part in self.message.parts)

    @property
    def calls(self) -> tuple[str, ...]:
        """The names of the tools it calls."""
        return tuple(part.name for part in self.message.parts if part.kind == "tool_call")

    @property
    def is_only_calls(self) -> bool:
        return bool(self.calls) and all(part.kind in ("tool_call", "thinking") for part in self.message.parts)


@dataclass(slots=True)
class Collected:
    """The turns so far, and what is known of them to leave repeats out."""

    turns: list[Turn] = field(default_factory=list)
    repeats: int = 0
    is_cut: bool = False
    # By span position: where the last user message it was given stands.
    asked: dict[int, int] = field(default_factory=dict)
    # By fingerprint: where each showing of a message stands.
    shown: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    # By tool name: tool spans whose result no message has repeated yet.
    untold: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    tools: dict[str, str] = field(default_factory=dict)
    budget: int = READ_LIMIT
    ear: InputReader = field(default_factory=InputReader)


def collect(grown: Tree) -> Collected:
    """The turns of a trace's model and tool spans and of its exceptions, in time order."""
    found = Collected()
    for _, at, kind in sorted(_entries(grown)):
        if kind == "model":
            _add_model(found, grown, at)
        elif kind == "tool":
            _add_tool(found, grown, at)
        else:
            _add_faults(found, grown, at)
    return found


def add(found: Collected, message: Message, span: SpanLike, *, is_output: bool, error: str = "") -> int:
    """Append a turn; its position."""
    at = span.end_time if is_output else span.start_time
    found.turns.append(Turn(message.role, message, span, at, is_output, error))
    for part in message.parts:
        if part.kind == "tool_call" and part.call_id:
            found.tools[part.call_id] = part.name
    return len(found.turns) - 1


def _entries(grown: Tree) -> list[tuple[float, int, str]]:
    """When, where and what: each model call, tool call and exception to show."""
    spans, around = grown.spans, _around_models(grown)
    entries = []
    for at, span in enumerate(spans):
        if span.span_type in MODEL_TYPES and at not in around:
            entries.append((grown.starts[at], at, "model"))
        elif span.span_type == "TOOL":
            # A tool that asked a model itself has its result after that model's turns.
            entries.append((span_tree.ended(grown, at) if at in around else grown.starts[at], at, "tool"))
        elif _faults(grown, at):
            entries.append((span_tree.ended(grown, at), at, "faults"))
    return entries


def _around_models(grown: Tree) -> set[int]:
    """The spans that have a model span with some content below them."""
    around: set[int] = set()
    for at, span in enumerate(grown.spans):
        if span.span_type in MODEL_TYPES and (span.input or span.output):
            above = grown.parents[at]
            while above >= 0 and above not in around:
                around.add(above)
                above = grown.parents[above]
    return around


def _add_model(found: Collected, grown: Tree, at: int) -> None:
    span, counts = grown.spans[at], Counter[str]()
    found.budget -= len(span.input)
    found.is_cut = found.is_cut or found.budget < 0
    for message, mark in found.ear.read(span.input) if found.budget >= 0 else []:
        counts[mark] += 1
        place = _shown_before(found, message, mark, counts[mark])
        found.repeats += place is not None
        if place is None:
            place = add(found, message, span, is_output=False)
        if place not in found.shown[mark]:
            found.shown[mark].append(place)
        if message.role == "user":
            found.asked[at] = place
    for message in messages.read(span.output, "assistant"):
        place = add(found, message, span, is_output=True)
        found.shown[fingerprint(message)].append(place)
    _add_faults(found, grown, at)


def _shown_before(found: Collected, message: Message, mark: str, count: int) -> int | None:
    """Where the message stands already: `count` says which showing of equal messages this one is."""
    places = found.shown.get(mark, [])
    untold: list[int] = []
    if message.role == "tool" and message.parts:
        untold = found.untold[_tool_name(found, message)]
    if count <= len(places):
        if places[count - 1] in untold:
            untold.remove(places[count - 1])
        return places[count - 1]
    return untold.pop(0) if untold else None


def _tool_name(found: Collected, message: Message) -> str:
    return message.name or found.tools.get(message.parts[0].call_id, "")


def _add_tool(found: Collected, grown: Tree, at: int) -> None:
    span = grown.spans[at]
    broken = _faults(grown, at)
    given = parts.make("tool_call", _unquoted(span.input), span.name)
    told = [parts.make("tool_result", _unquoted(span.output), span.name)] if span.output or not broken else []
    stacks = [parts.make("code", fault.stack, "pytb") for fault in broken if fault.stack]
    message = Message("tool", (given, *told, *stacks), span.name)
    place = add(found, message, span, is_output=True, error="\n".join(fault.text for fault in broken))
    if told:
        found.shown[fingerprint(message)].append(place)
    found.untold[span.name].append(place)


def _add_faults(found: Collected, grown: Tree, at: int) -> None:
    span = grown.spans[at]
    for fault in _faults(grown, at):
        message = Message("data", (parts.make("code", fault.stack, "pytb"),) if fault.stack else ())
        found.turns.append(Turn("error", message, span, fault.occurred_at or span.end_time, True, fault.text))


def _faults(grown: Tree, at: int) -> list[Fault]:
    """A span's own exceptions: one that only passed through from a child is the child's."""
    span, children = grown.spans[at], grown.children[at]
    own = {fault.text: fault for fault in span_exceptions.read(span.events)}
    passed = (
        {fault.text for child in children for fault in span_exceptions.read(grown.spans[child].events)}
        if own
        else set()
    )
    if not own and span.span_type in (*MODEL_TYPES, "TOOL") and span_tree.is_error(span):
        is_passed = any(span_tree.is_error(grown.spans[child]) for child in children)
        return [] if is_passed else [Fault(NO_EXCEPTION, occurred_at=span.end_time)]
    return [fault for text, fault in own.items() if text not in passed]


def _unquoted(text: str) -> str:
    """A tool's text; a JSON string loses its quotes, a result what LangChain's tool message wraps around it."""
    is_string = text.startswith('"')
    read = messages.read(text) if is_string or '"tool_call_id"' in text else []
    told = read[0].parts if len(read) == 1 else ()
    return told[0].text if len(told) == 1 and (is_string or told[0].kind == "tool_result") else text
