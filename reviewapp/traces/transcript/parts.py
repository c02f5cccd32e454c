"""One part of a chat message: a text, a tool call, its result, an image told in words.

Images and files are described, never fetched: a reviewer's browser asks no other host for anything.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from reviewapp.traces.transcript import pictures

Kind = Literal["text", "json", "code", "thinking", "tool_call", "tool_result", "image", "file", "refusal"]

TEXT_LIMIT = 100_000
NAME_LIMIT = 200
ADDRESS_LIMIT = 2_000

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_START = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]\d-])")
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,15}:")

# Where providers put the bytes or the address of a file, its type and its name.
_BOXES: tuple[str, ...] = ("image_url", "video_url", "source", "file", "input_audio", "audio", "image", "document")
_BOXES += ("inlineData", "inline_data", "fileData", "file_data")
_PAYLOADS: tuple[str, ...] = ("data", "bytes", "file_data", "image", "image_url", "url", "uri", "file_uri", "fileUri")
_PAYLOADS += ("file_url", "content", "blob", "file_id")
_TYPES = ("media_type", "mimeType", "mime_type", "mediaType", "format")
_NAMES = ("filename", "file_name", "display_name", "displayName", "title", "name")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message. `text` is plain or JSON text; `media` is words such as "image/png, 48.0 kB".

    `name` and `call_id` belong to tool calls and their results, `name` also to files and to the language of code.
    `picture` names an image that its span holds and that may be shown; see pictures.py.
    `cut` is the number of characters of `text` that were left out; `rest` holds them where they are at hand.
    """

    kind: Kind
    text: str = ""
    name: str = ""
    call_id: str = ""
    media: str = ""
    omitted_chars: int = 0
    rest: str = ""
    picture: str = ""


def make(kind: Kind, text: str, name: str = "", call_id: str = "", media: str = "") -> Part:
    """A part whose text is within the limit and can be encoded as UTF-8."""
    cut = len(text) - TEXT_LIMIT
    if name or call_id or media:
        name, call_id, media = (_sound(label[:NAME_LIMIT]) for label in (name, call_id, media))
    if cut <= 0:
        return Part(kind, _sound(text), name, call_id, media)
    return Part(kind, _sound(text[:TEXT_LIMIT]), name, call_id, media, cut, _sound(text[TEXT_LIMIT:]))


def from_text(text: str) -> Part:
    """A text as it is, or marked as JSON when the whole of it is a JSON object or array."""
    return make("json" if looks_like_json(text) else "text", text)


def from_json(value: Any) -> Part:
    """Any JSON value as one part."""
    return make("json", json_text(value))


def from_media(kind: Literal["image", "file"], block: dict[str, Any]) -> Part:
    """An image or file as words: its name or address, its type and size. Its bytes stay out."""
    fields = _opened(_opened(block))
    payload, mime, name = (_text_at(fields, keys) for keys in (_PAYLOADS, _TYPES, _NAMES))
    if fields.get("type") == "text":
        return make(kind, payload, name, media=mime or "text/plain")
    if payload.startswith("data:"):
        head, _, payload = payload.partition(",")
        mime = head[5:].split(";")[0] or mime
    kind = "image" if mime.startswith("image/") else kind
    if _ADDRESS.match(payload) or payload == fields.get("file_id"):
        return make(kind, payload[:ADDRESS_LIMIT], name, media=mime or kind)
    size = f", {len(payload) * 3 / 4000:,.1f} kB" if payload else ""
    made = make(kind, name, name, media=(mime or kind) + size)
    return replace(made, picture=pictures.digest(payload)) if pictures.is_shown(mime, payload) else made


def has_media(block: dict[str, Any]) -> bool:
    """Whether a block holds an image or file in a place we know."""
    return any(key in block for key in _BOXES + _PAYLOADS)


def looks_like_json(text: str) -> bool:
    """Whether a whole text is a JSON object or array (one longer than the limit only has to begin like one)."""
    if not _JSON_START.match(text):
        return False
    if len(text) > TEXT_LIMIT:
        return True
    try:
        json.loads(text)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def json_text(value: Any) -> str:
    """A text as it is, any other JSON value as JSON text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to show)"


def _opened(block: dict[str, Any]) -> dict[str, Any]:
    boxes = [block[key] for key in _BOXES if isinstance(block.get(key), dict)]
    return {key: value for fields in (block, *boxes) for key, value in fields.items()}


def _text_at(fields: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((fields[key] for key in keys if isinstance(fields.get(key), str)), "")


def _sound(text: str) -> str:
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
