"""Model inputs grow from call to call: each input starts with the exact text of the one before it.

Only the new tail is parsed. Parsing each input whole would cost the square of the number of calls.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reviewapp.lib import exact_json
from reviewapp.traces.transcript import messages, parts
from reviewapp.traces.transcript.messages import Message

# Conversations in parallel: an agent's own and those of its helpers.
CONVERSATIONS_LIMIT = 6


class FingerprintedMessage(NamedTuple):
    """A message with the fingerprint that its repeats share."""

    message: Message
    fingerprint: str


class _ParsedInput(NamedTuple):
    # The input's text without its closing bracket, so that a longer input starts with it.
    prefix: str
    messages: list[FingerprintedMessage]


@dataclass(slots=True)
class InputReader:
    """Reads model inputs and remembers the most recent ones."""

    recent: deque[_ParsedInput] = field(default_factory=lambda: deque(maxlen=CONVERSATIONS_LIMIT))

    def read(self, text: str) -> list[FingerprintedMessage]:
        """Return the messages of a model's input, the same as `messages.read` returns."""
        previous = next((parsed for parsed in self.recent if text.startswith(parsed.prefix)), None)
        parsed_messages = _read_message_list(text, previous)
        if parsed_messages is None:
            return _with_fingerprints(messages.read(text, "user"))
        self.recent.appendleft(_ParsedInput(text.rstrip()[:-1], parsed_messages))
        return parsed_messages


def fingerprint(message: Message) -> str:
    """Return a text that is equal for a message and its repeat in another span.

    White space, ids, thinking and what stands beside the message are ignored.
    """
    said = [part for part in message.parts if part.kind not in parts.BESIDE]
    compared = [part for part in said if part.kind != "thinking"] or said
    if message.role == "tool":
        compared = [part for part in compared if part.kind == "tool_result"] or compared
    texts = [
        f"{'call ' + part.name if part.kind == 'tool_call' else ''}{strip_whitespace(part.text)}{part.media}"
        for part in compared
    ]
    return "\x00".join([message.role, *texts])


def strip_whitespace(text: str) -> str:
    """Remove all white space from a text."""
    return "".join(text.split())


def _with_fingerprints(read_messages: list[Message]) -> list[FingerprintedMessage]:
    return [FingerprintedMessage(message, fingerprint(message)) for message in read_messages]


def _read_message_list(text: str, previous: _ParsedInput | None) -> list[FingerprintedMessage] | None:
    """Read an input that is a plain list of messages; None for an input of any other shape."""
    tail = text[len(previous.prefix) :].lstrip() if previous else ""
    if previous and tail[:1] == "]":
        return previous.messages if tail.strip() == "]" else None
    if previous and tail[:1] == ",":
        items = _parse_list("[" + tail[1:].lstrip())
    else:
        previous, items = None, _parse_list(text)
    new_messages = None if items is None else messages.read_each(items, "user")
    if new_messages is None:
        return None
    all_messages = [*(previous.messages if previous else ()), *_with_fingerprints(new_messages)]
    return all_messages if len(all_messages) <= messages.HEAD + messages.TAIL else None


def _parse_list(text: str) -> list[Any] | None:
    if not text.startswith("[{") or len(text) > messages.PARSE_LIMIT:
        return None
    try:
        items = exact_json.loads(text, has_constants=True)
    except (ValueError, RecursionError):
        return None
    return items if isinstance(items, list) else None
