"""Agents inside an agent: spans that hold a conversation of their own, apart from the one around them."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from reviewapp.lib import exact_json
from reviewapp.lib.shortening import shorten
from reviewapp.traces.transcript import messages, side_calls
from reviewapp.traces.transcript.messages import Message
from reviewapp.traces.transcript.span_tree import MODEL_TYPES, SpanLike, Tree

# Agents in a trace, spans that are looked at as such, and levels of spans above a call.
AGENTS_LIMIT, CANDIDATES_LIMIT, LEVELS_LIMIT = 60, 300, 60
# Characters of an input that tell two conversations apart, and characters of a brief or a result.
START_LIMIT, TEXT_LIMIT = 4_000, 400
_NAMES = frozenset("agent agents subagent crew swarm handoff delegate delegation".split())
_SYSTEM_PROMPT = re.compile(r'"role"\s*:\s*"(?:system|developer)"|"system(?:_?[iI]nstructions?|_prompt)?"\s*:')
_BRIEF_KEYS = (
    "task", "brief", "prompt", "question", "query", "request", "goal", "objective", "instructions", "message", "input",
    "description",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that another one called: its span's position in the tree, its name, what it was asked and returned."""

    index: int
    name: str
    brief: str
    result: str


def find_paths(tree: Tree) -> dict[int, tuple[Agent, ...]]:
    """Return the agents around each span that is in one, outermost first, by the span's position in the tree."""
    calls_below, step_counts = _count_below(tree)
    indexes = _find_agents(tree, calls_below, step_counts)
    if not indexes:
        return {}
    by_index = {index: _read_agent(tree, index, calls_below[index]) for index in indexes}
    paths = {}
    for index in range(len(tree.spans)):
        path = tuple(by_index[above] for above in _walk_up(tree, index) if above in by_index)[::-1]
        if path:
            paths[index] = path
    return paths


def _count_below(tree: Tree) -> tuple[dict[int, list[int]], Counter[int]]:
    """Return the model calls below each span in time order, and the number of its calls and tools together."""
    calls_below, step_counts = defaultdict[int, list[int]](list), Counter[int]()
    for index in sorted(range(len(tree.spans)), key=tree.starts.__getitem__):
        is_call = tree.spans[index].span_type in MODEL_TYPES
        if is_call or tree.spans[index].span_type == "TOOL":
            for above in _walk_up(tree, index, skip=1):
                step_counts[above] += 1
                if is_call:
                    calls_below[above].append(index)
    return calls_below, step_counts


def _find_agents(tree: Tree, calls_below: dict[int, list[int]], step_counts: Counter[int]) -> set[int]:
    """Return the spans that are agents: not the only one in the trace, and with a conversation of their own."""
    calls = [index for index, span in enumerate(tree.spans) if span.span_type in MODEL_TYPES]
    candidates = [
        index
        for index in sorted(calls_below, key=tree.starts.__getitem__)
        if index != tree.top
        and len(calls_below[index]) < len(calls)
        and tree.spans[index].span_type not in MODEL_TYPES
        and not side_calls.has_side_name(tree, index)
    ]
    indexes: set[int] = set()
    for index in candidates[:CANDIDATES_LIMIT]:
        above = next((above for above in _walk_up(tree, index, skip=1) if above in indexes), None)
        # Of two around the same calls, the outer one is the agent.
        is_wrapped = above is not None and len(calls_below[above]) == len(calls_below[index])
        if len(indexes) < AGENTS_LIMIT and not is_wrapped:
            own_calls = calls_below[index]
            if tree.spans[index].span_type == "TOOL" or _has_own_conversation(
                tree, index, own_calls, set(calls) - set(own_calls), step_counts[index]
            ):
                indexes.add(index)
    return indexes


def _has_own_conversation(
    tree: Tree, index: int, own_calls: Sequence[int], other_calls: Collection[int], step_count: int
) -> bool:
    """Whether a span is called an agent or has instructions and several steps, and its calls continue no others."""
    starts = [tree.spans[call].input[:START_LIMIT] for call in own_calls]
    has_name = not _NAMES.isdisjoint(side_calls.split_words(tree.spans[index].name))
    if not has_name and (step_count == 1 or not any(_SYSTEM_PROMPT.search(start) for start in starts)):
        return False
    others = {tree.spans[call].input[:START_LIMIT] for call in other_calls}
    return not any(_is_same_conversation(starts[0], other) for other in others)


def _is_same_conversation(first: str, second: str) -> bool:
    """Whether one input starts with all of the other: a conversation grows from call to call."""
    shorter, longer = sorted((first, second), key=len)
    return longer.startswith(shorter[:-8] + shorter[-8:].rstrip('"]} \n'))


def _walk_up(tree: Tree, index: int, skip: int = 0) -> Iterator[int]:
    """Yield a span and those above it, from the inside out; a cycle ends where it began."""
    seen: set[int] = set()
    while index >= 0 and index not in seen and len(seen) < LEVELS_LIMIT:
        seen.add(index)
        if len(seen) > skip:
            yield index
        index = tree.parents[index]


def _read_agent(tree: Tree, index: int, own_calls: Sequence[int]) -> Agent:
    span, first, last = tree.spans[index], tree.spans[own_calls[0]], tree.spans[own_calls[-1]]
    brief = _read_brief(span) or _last_text(messages.read(first.input, "user"), "user")
    result = _last_text(messages.read_output(span.output)) or _last_text(messages.read_output(last.output))
    return Agent(index, span.name, _shorten(brief), _shorten(result))


def _read_brief(span: SpanLike) -> str:
    """Return what an agent was asked: the text among a tool's arguments, or the last message to it."""
    text = _last_text(messages.read(span.input, "user"))
    if text[:1] != "{":
        return text
    try:
        value = exact_json.loads(text)
    except (ValueError, RecursionError):
        return text
    texts = {key: inner for key, inner in value.items() if isinstance(inner, str)} if isinstance(value, dict) else {}
    return next((texts[key] for key in _BRIEF_KEYS if texts.get(key)), text)


def _last_text(read_messages: Sequence[Message], role: str = "") -> str:
    """Return the text of the last message of a role, or of any."""
    for message in reversed(read_messages):
        text = " ".join(part.text for part in message.parts if part.kind in ("text", "json", "tool_result"))
        if text and role in ("", message.role):
            return text
    return ""


def _shorten(text: str) -> str:
    line = " ".join(text[: 2 * TEXT_LIMIT].split())
    return shorten(line, TEXT_LIMIT)
