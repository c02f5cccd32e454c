"""ClickHouse arrays, stored in SQLite as BLOBs of JSON so that no text can be mistaken for one."""

import json
from collections.abc import Iterable
from typing import Any

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def pack(items: Iterable[Any]) -> bytes:
    """Encode items as a BLOB, one at a time: as objects, the events of a span take many times its memory."""
    return f"[{','.join(map(_compact, items))}]".encode()


def unpack(packed: bytes) -> list[Any]:
    """Decode a BLOB to a list."""
    items: list[Any] = json.loads(packed)
    return items


def union(stored: bytes, added: bytes) -> bytes:
    """Merge two arrays: every distinct item once, in order of first appearance."""
    return pack(dict.fromkeys(unpack(stored) + unpack(added)))
