"""The sources that a message names beside its text: each provider's citations, annotations and grounding."""

from typing import Any

from reviewapp.traces.transcript import other_fields, parts
from reviewapp.traces.transcript.parts import Part

# Where a message, a block or a response has its sources.
KEYS = (
    "citations", "annotations", "citationMetadata", "citation_metadata", "groundingMetadata", "grounding_metadata",
    "search_results",
)  # fmt: skip
LIMIT = 50
DEPTH_LIMIT = 4
# Objects around one source, and lists of sources in one object.
_WRAPPERS = (
    "url_citation", "file_citation", "file_path", "container_file_citation", "web", "retrievedContext",
    "retrieved_context", "document", "source", "metadata",
)  # fmt: skip
_LISTS = (
    "citations", "citationSources", "groundingChunks", "grounding_chunks", "sources", "results", "retrievedReferences",
)  # fmt: skip
_TITLES = ("title", "document_title", "filename", "file_name", "name", "document_id", "file_id")
_SOURCES = ("url", "uri", "link", "source")
_TEXTS = ("cited_text", "quote", "snippet", "text", "content", "sourceContent", "source_content")
# Where in a text or document something was cited: nothing that a reader needs.
_POSITIONS = {
    "type", "index", "id", "start", "end", "start_index", "end_index", "startIndex", "endIndex", "document_index",
    "start_char_index", "end_char_index", "start_page_number", "end_page_number", "start_block_index", "file_id",
    "end_block_index", "encrypted_index", "search_result_index", "domain", "document_ids", "location", "page",
}  # fmt: skip

_SOURCE_KEYS = {*_POSITIONS, *_WRAPPERS, *_TITLES, *_SOURCES, *_TEXTS}


def read(fields: dict[str, Any]) -> list[Part]:
    """Return the sources of a message, a block or a response, each once."""
    read_parts: dict[tuple[str, str, str], Part] = {}
    for key in KEYS:
        for part in _read_value(fields.get(key), 0):
            read_parts.setdefault((part.name, part.media, part.text), part)
    shown = list(read_parts.values())
    note = [parts.make("note", f"{len(shown) - LIMIT:,} more sources are not shown.")] if len(shown) > LIMIT else []
    return [*shown[:LIMIT], *note]


def read_source(fields: dict[str, Any]) -> Part | None:
    """Return one source; None for an object without title, address and text."""
    flat = _flatten(fields)
    title, source, text = (_first_text(flat, keys) for keys in (_TITLES, _SOURCES, _TEXTS))
    if not title and not source and not text:
        return None
    return parts.make("citation", text, title, media="" if source == title else source)


def _read_value(value: Any, depth: int) -> list[Part]:
    if not value or depth > DEPTH_LIMIT:
        return []
    if isinstance(value, list):
        return [part for item in value for part in _read_value(item, depth + 1)]
    if isinstance(value, str):
        return [parts.make("citation", "", value)]
    if not isinstance(value, dict):
        return [parts.make("extra", parts.json_text(value))]
    lists = [key for key in _LISTS if isinstance(value.get(key), list)]
    inner = [part for key in lists for part in _read_value(value[key], depth + 1)]
    others = {key: item for key, item in value.items() if key not in lists}
    # A piece of the answer itself, with the sources for it.
    is_piece = "sources" in lists and "document" not in others
    source = None if is_piece else read_source(others)
    known_keys = _POSITIONS | {"text"} if is_piece else _POSITIONS if source is None else _SOURCE_KEYS
    sources = [] if source is None else [source]
    return [*sources, *inner, *other_fields.read(others, known_keys)]


def _flatten(fields: dict[str, Any]) -> dict[str, Any]:
    """Merge the objects around a source into its own fields."""
    flat = dict(fields)
    for key in _WRAPPERS:
        inner = fields.get(key)
        if isinstance(inner, dict):
            flat.pop(key, None)
            flat = {**inner, **flat}
    return flat


def _first_text(fields: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((text for key in keys if (text := _to_text(fields.get(key)))), "")


def _to_text(value: Any) -> str:
    """Return a text, or the texts in a list of text blocks."""
    if isinstance(value, list):
        texts = [item.get("text") if isinstance(item, dict) else item for item in value]
        return "\n".join(text for text in texts if isinstance(text, str))
    return value if isinstance(value, str) else ""
