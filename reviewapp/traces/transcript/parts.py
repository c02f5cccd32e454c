"""One part of a chat message: a text, a tool call, its result, or an image described in words.

Images and files are described, never fetched: a reviewer's browser sends no request to another host.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from reviewapp.lib import exact_json
from reviewapp.traces.transcript import pictures

Kind = Literal["text", "json", "code", "thinking", "tool_call", "tool_result", "image", "file", "refusal"]

TEXT_LIMIT = 100_000
NAME_LIMIT = 200
URL_LIMIT = 2_000

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_START = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]\d-])")
_URL_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,15}:")

# The keys under which providers store the bytes or URL of a file, its type and its name.
_WRAPPERS: tuple[str, ...] = ("image_url", "video_url", "source", "file", "input_audio", "audio", "image", "document")
_WRAPPERS += ("inlineData", "inline_data", "fileData", "file_data")
_PAYLOADS: tuple[str, ...] = ("data", "bytes", "file_data", "image", "image_url", "url", "uri", "file_uri", "fileUri")
_PAYLOADS += ("file_url", "content", "blob", "file_id")
_TYPES = ("media_type", "mimeType", "mime_type", "mediaType", "format")
_NAMES = ("filename", "file_name", "display_name", "displayName", "title", "name")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message. `text` is plain or JSON text; `media` is a description such as "image/png, 48.0 kB".

    `name` and `call_id` are set on tool calls and their results; `name` also holds a file's name or a code's language.
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


def make(kind: Kind, text: str, name: str = "", call_id: str = "", media: str = "") -> Part:
    """Create a part whose text is within the limit and can be encoded as UTF-8."""
    omitted_chars = len(text) - TEXT_LIMIT
    if name or call_id or media:
        name, call_id, media = (_replace_surrogates(label[:NAME_LIMIT]) for label in (name, call_id, media))
    if omitted_chars <= 0:
        return Part(kind, _replace_surrogates(text), name, call_id, media)
    shown, rest = _replace_surrogates(text[:TEXT_LIMIT]), _replace_surrogates(text[TEXT_LIMIT:])
    return Part(kind, shown, name, call_id, media, omitted_chars, rest)


def from_text(text: str) -> Part:
    """Create a text part, or a JSON part if the whole text is a JSON object or array."""
    return make("json" if looks_like_json(text) else "text", text)


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
        return make(kind, payload[:URL_LIMIT], name, media=mime or kind)
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


def _flatten(block: dict[str, Any]) -> dict[str, Any]:
    """Merge the objects under known keys into the block itself."""
    nested = [block[key] for key in _WRAPPERS if isinstance(block.get(key), dict)]
    return {key: value for fields in (block, *nested) for key, value in fields.items()}


def _first_text(fields: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((fields[key] for key in keys if isinstance(fields.get(key), str)), "")


def _replace_surrogates(text: str) -> str:
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)
