"""What a retrieval returned: passages with title, score and source, as vector stores and frameworks name them."""

import re
from dataclasses import dataclass
from typing import Any

from reviewapp.lib import exact_json
from reviewapp.lib.shortening import shorten
from reviewapp.traces.transcript import parts

# In characters, and in passages.
PARSE_LIMIT, LIMIT = 1_000_000, 100
DEPTH_LIMIT = 3
_NAME = re.compile(r"retriev|search|rerank|vector|similarity|knowledge|passages|documents", re.IGNORECASE)
_LISTS = (
    "documents", "results", "matches", "chunks", "passages", "hits", "nodes", "source_documents", "source_nodes",
    "retrievalResults", "sources", "context", "data", "points", "result", "output", "value",
)  # fmt: skip
_INNER = ("node", "document", "metadata", "_source", "payload", "kwargs", "extra_info", "meta", "entity", "location")
_TEXTS = (
    "page_content", "content", "text", "snippet", "chunk", "passage", "body", "excerpt", "document", "chunk_text",
)  # fmt: skip
_TITLES = ("title", "document_title", "file_name", "filename", "name", "heading")
_SOURCES = ("url", "uri", "source", "link", "file_path", "path", "id_", "id", "doc_id", "document_id", "_id")
_SCORES = ("score", "relevance_score", "similarity", "_score", "distance", "rerank_score", "@search.score")


@dataclass(frozen=True, slots=True)
class Passage:
    text: str
    title: str = ""
    source: str = ""
    score: str = ""


def is_retrieval_name(name: str) -> bool:
    """Whether a span's name says that it looks something up."""
    return bool(_NAME.search(name))


def read(text: str) -> list[Passage]:
    """Return the passages in a retrieval's result; none if it is anything else. Never raises."""
    if len(text) > PARSE_LIMIT or text[:1] not in ("[", "{"):
        return []
    try:
        value = exact_json.loads(text, has_constants=True)
    except (ValueError, RecursionError):
        return []
    return _read_value(value, 0)


def _read_value(value: Any, depth: int) -> list[Passage]:
    if isinstance(value, dict) and depth < DEPTH_LIMIT:
        lists = [value[key] for key in _LISTS if isinstance(value.get(key), (list, dict))]
        return _read_value(lists[0], depth + 1) if len(lists) == 1 else []
    if not isinstance(value, list) or not 0 < len(value) <= LIMIT:
        return []
    read_passages = [_read_passage(item) for item in value]
    return [passage for passage in read_passages if passage is not None] if None not in read_passages else []


def _read_passage(item: Any) -> Passage | None:
    """Read one passage; None for a message, a message's block, or a text without a title, a source or a score."""
    if not isinstance(item, dict) or "role" in item or item.get("type") in ("text", "output_text", "input_text"):
        return None
    fields = _flatten(item, 0)
    text = next((fields[key] for key in _TEXTS if isinstance(fields.get(key), str)), "")
    title, source, score = (_first(fields, keys) for keys in (_TITLES, _SOURCES, _SCORES))
    return Passage(text, title, source, score) if text and (title or source or score) else None


def _flatten(item: dict[str, Any], depth: int) -> dict[str, Any]:
    """Merge a passage's node and metadata into its own fields."""
    fields = {key: value for key, value in item.items() if not isinstance(value, dict)}
    for key in _INNER:
        inner = item.get(key)
        if isinstance(inner, dict) and depth < DEPTH_LIMIT:
            fields = {**_flatten(inner, depth + 1), **fields}
    return fields


def _first(fields: dict[str, Any], keys: tuple[str, ...]) -> str:
    value = next((fields[key] for key in keys if fields.get(key) not in (None, "", [], {})), "")
    return shorten(parts.json_text(value), parts.NAME_LIMIT)
