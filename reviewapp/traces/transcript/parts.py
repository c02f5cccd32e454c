"""One part of a chat message: a text, a tool call, its result, or an image described in words.

Images and files are described, never fetched: a reviewer's browser sends no request to another host.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from reviewapp.lib import exact_json
from reviewapp.lib.shortening import shorten
from reviewapp.traces.transcript import pictures

Kind = Literal[
    "text", "json", "code", "thinking", "tool_call", "tool_result", "image", "file", "refusal",
    "citation", "note", "extra",
]  # fmt: skip
# What stands beside a message and is no part of what was said: it may be missing where the message is repeated.
BESIDE: tuple[Kind, ...] = ("citation", "note", "extra")
_JSON_KINDS: tuple[Kind, ...] = ("json", "tool_call", "tool_result", "extra")

TEXT_LIMIT = 100_000
NAME_LIMIT = 200
URL_LIMIT = 2_000
# How often one JSON text may be encoded as a string of JSON.
ENCODINGS_LIMIT = 4

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_START = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]\d-])")
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)
_URL_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,15}:")

# The keys under which providers store the bytes or URL of a file, its type and its name.
_WRAPPERS: tuple[str, ...] = ("image_url", "video_url", "source", "file", "input_audio", "audio", "image", "document")
_WRAPPERS += ("inlineData", "inline_data", "fileData", "file_data")
_PAYLOADS: tuple[str, ...] = ("data", "bytes", "file_data", "image", "image_url", "url", "uri", "file_uri", "fileUri")
_PAYLOADS += ("file_url", "content", "blob", "file_id")
_TYPES = ("media_type", "mimeType", "mime_type", "mediaType", "format")
_NAMES = ("filename", "file_name", "display_name", "displayName", "title", "name")
MEDIA_KEYS = frozenset((*_WRAPPERS, *_PAYLOADS, *_TYPES, *_NAMES))


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message. `text` is plain or JSON text; `media` is a description such as "image/png, 48.0 kB".

    `name` and `call_id` are set on tool calls and their results; `name` also holds a file's name or a code's language.
    A citation has its title as `name` and its source as `media`; an `extra` holds the fields that no reader knows, as
    JSON. `sent` is the text as it was sent if `text` is decoded for reading; `is_error` marks a tool's failure.
    `picture` names an image embedded in the span that can be shown; see pictures.py.
    `omitted_chars` counts the characters cut from `text`; `rest` holds them where they are available.
    """

    kind: Kind
    text: str = ""
    name: str = ""
    call_id: str = ""
    media: str = ""
    omitted_chars: int = 0
    rest: str = ""
    picture: str = ""
    sent: str = ""
    is_error: bool = False

    @property
    def as_written(self) -> str:
        """The text as it was sent, as far as it is shown."""
        return self.sent[:TEXT_LIMIT] or self.text


def make(kind: Kind, text: str, name: str = "", call_id: str = "", media: str = "") -> Part:
    """Create a part whose text is within the limit and can be encoded as UTF-8; escapes in JSON are decoded."""
    if kind in _JSON_KINDS and "\\u" in text:
        return _make_decoded(kind, text, name, call_id, media)
    return _make_plain(kind, text, name, call_id, media)


def _make_plain(kind: Kind, text: str, name: str, call_id: str, media: str) -> Part:
    omitted_chars = len(text) - TEXT_LIMIT
    if name or call_id or media:
        name, call_id, media = (_replace_surrogates(shorten(label, NAME_LIMIT)) for label in (name, call_id, media))
    if omitted_chars <= 0:
        return Part(kind, _replace_surrogates(text), name, call_id, media)
    shown, rest = _replace_surrogates(text[:TEXT_LIMIT]), _replace_surrogates(text[TEXT_LIMIT:])
    return Part(kind, shown, name, call_id, media, omitted_chars, rest)


def from_text(text: str) -> Part:
    """Create a text part, or a JSON part if the whole text is a JSON object or array, be it encoded twice."""
    if text[:1] == '"':
        return make_unwrapped("text", text)
    return make("json" if looks_like_json(text) else "text", text)


def make_unwrapped(kind: Kind, text: str, name: str = "", call_id: str = "") -> Part:
    """Create a part from a text; JSON that was encoded twice is decoded once, and stays in `sent`."""
    inner = _decode_json_string(text) if text[:1] == '"' else ""
    if not inner:
        return make(kind, text, name, call_id)
    part = make("json" if kind == "text" else kind, inner, name, call_id)
    return replace(part, sent=_replace_surrogates(text))


def from_json(value: Any) -> Part:
    """Create one part from any JSON value."""
    return make("json", json_text(value))


def from_media(kind: Literal["image", "file"], block: dict[str, Any]) -> Part:
    """Describe an image or file by its name or URL, type and size, without its bytes."""
    fields = _flatten(_flatten(block))
    payload, mime, name = (_first_text(fields, keys) for keys in (_PAYLOADS, _TYPES, _NAMES))
    if fields.get("type") == "text":
        return make(kind, payload, name, media=mime or "text/plain")
    if payload.startswith("data:"):
        head, _, payload = payload.partition(",")
        mime = head[5:].split(";")[0] or mime
    kind = "image" if mime.startswith("image/") else kind
    if _URL_SCHEME.match(payload) or payload == fields.get("file_id"):
        return make(kind, shorten(payload, URL_LIMIT), name, media=mime or kind)
    size = f", {len(payload) * 3 / 4000:,.1f} kB" if payload else ""
    part = make(kind, name, name, media=(mime or kind) + size)
    return replace(part, picture=pictures.digest(payload)) if pictures.is_supported(mime, payload) else part


def has_media(block: dict[str, Any]) -> bool:
    """Whether a block has an image or file under a known key."""
    return any(key in block for key in _WRAPPERS + _PAYLOADS)


def looks_like_json(text: str) -> bool:
    """Whether the whole text is a JSON object or array; one longer than the limit only has to start like one."""
    if not _JSON_START.match(text):
        return False
    if len(text) > TEXT_LIMIT:
        return True
    try:
        return exact_json.is_json(text)
    except RecursionError:
        return True


def decode_escapes(text: str) -> str:
    """Decode the `\\u` escapes of visible characters in a JSON text."""
    return _ESCAPE.sub(_decode_escape, text) if "\\u" in text else text


def json_text(value: Any) -> str:
    """Return a string unchanged, any other JSON value as JSON text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return exact_json.dumps(value, separators=(", ", ": "))
    except RecursionError:
        return "(nested too deeply to show)"


def _make_decoded(kind: Kind, text: str, name: str, call_id: str, media: str) -> Part:
    """Create a JSON part with `\\u` escapes of visible characters decoded; `sent` keeps them."""
    decoded = decode_escapes(text) if looks_like_json(text) else text
    part = _make_plain(kind, decoded, name, call_id, media)
    return part if decoded == text else replace(part, sent=_replace_surrogates(text))


def _decode_escape(match: re.Match[str]) -> str:
    escape = match[0]
    if escape[1] != "u":
        return escape
    text: str = json.loads(f'"{escape}"')
    return escape if text in ('"', "\\") or not text.isprintable() else text


def _decode_json_string(text: str) -> str:
    """Return the JSON object or array inside a JSON string, at most a few levels deep; else an empty text."""
    for _ in range(ENCODINGS_LIMIT):
        try:
            inner = json.loads(text) if text[:1] == '"' else None
        except ValueError:
            return ""
        if not isinstance(inner, str):
            return ""
        if looks_like_json(inner):
            return inner
        text = inner
    return ""


def _flatten(block: dict[str, Any]) -> dict[str, Any]:
    """Merge the objects under known keys into the block itself."""
    nested = [block[key] for key in _WRAPPERS if isinstance(block.get(key), dict)]
    return {key: value for fields in (block, *nested) for key, value in fields.items()}


def _first_text(fields: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((fields[key] for key in keys if isinstance(fields.get(key), str)), "")


def _replace_surrogates(text: str) -> str:
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
