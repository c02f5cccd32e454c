"""ClickHouse arrays. They live in SQLite as BLOBs of JSON, so that no text can be taken for one."""

import json
from collections.abc import Iterable
from typing import Any

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def pack(items: Iterable[Any]) -> bytes:
    """A list as its BLOB."""
    return _compact(list(items)).encode()


def unpack(packed: bytes) -> list[Any]:
    """A BLOB as its list."""
    items: list[Any] = json.loads(packed)
    return items


def union(stored: bytes, added: bytes) -> bytes:
    """Both arrays' items, each once, in order of arrival."""
    return pack(dict.fromkeys(unpack(stored) + unpack(added)))
