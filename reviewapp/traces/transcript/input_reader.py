"""What a model is told grows from call to call: each input begins with the one before it, letter by letter.

So only what is new is read, where reading each input whole would cost the square of the number of calls.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reviewapp.traces.transcript import messages
from reviewapp.traces.transcript.messages import Message

# Conversations that go on side by side: an agent's own and those of its helpers.
KEPT = 6


class Marked(NamedTuple):
    """A message with the fingerprint that its repeats share."""

    message: Message
    mark: str


class _Heard(NamedTuple):
    # The input's text without its closing bracket, so that a longer one begins with it.
    text: str
    told: list[Marked]


@dataclass(slots=True)
class InputReader:
    """The inputs heard lately."""

    heard: deque[_Heard] = field(default_factory=lambda: deque(maxlen=KEPT))

    def read(self, text: str) -> list[Marked]:
        """The messages in a model's input, as `messages.read` reads them."""
        before = next((one for one in self.heard if text.startswith(one.text)), None)
        told = _told(text, before)
        if told is None:
            return marked(messages.read(text, "user"))
        self.heard.appendleft(_Heard(text.rstrip()[:-1], told))
        return told


def marked(found: list[Message]) -> list[Marked]:
    return [Marked(message, fingerprint(message)) for message in found]


def fingerprint(message: Message) -> str:
    """The same for a message and its repeat in another span; white space, ids and thoughts do not count."""
    said = [part for part in message.parts if part.kind != "thinking"] or message.parts
    if message.role == "tool":
        said = [part for part in said if part.kind == "tool_result"] or said
    words = [f"{'call ' + part.name if part.kind == 'tool_call' else ''}{bare(part.text)}{part.media}" for part in said]
    return "\x00".join([message.role, *words])


def bare(text: str) -> str:
    """A text without its white space."""
    return "".join(text.split())


def _told(text: str, before: _Heard | None) -> list[Marked] | None:
    """The messages of a plain list of messages; None for an input of any other shape."""
    rest = text[len(before.text) :].lstrip() if before else ""
    if before and rest[:1] == "]":
        return before.told if rest.strip() == "]" else None
    if before and rest[:1] == ",":
        items = _items("[" + rest[1:].lstrip())
    else:
        before, items = None, _items(text)
    read = None if items is None else messages.read_each(items, "user")
    if read is None:
        return None
    told = [*(before.told if before else ()), *marked(read)]
    return told if len(told) <= messages.HEAD + messages.TAIL else None


def _items(text: str) -> list[Any] | None:
    if not text.startswith("[{") or len(text) > messages.PARSE_LIMIT:
        return None
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return items if isinstance(items, list) else None
