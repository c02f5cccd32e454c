"""A span's JSON tree as HTML: small nodes at once, big ones loaded when they are opened."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from reviewapp.traces.reader import lazy_links, turn_html
from reviewapp.traces.reader.raw import Members, Number, Unread

# On one answer: nodes in all, levels below the asked one, children of one node; characters of a text in its place.
NODES, LEVELS, CHILDREN, TEXT = 300, 6, 100, 1_000
CHUNK = 100_000
KEY = 200

Path = tuple[int, ...]


@dataclass(slots=True)
class Page:
    """An answer being filled: the span, the address that answers for its nodes, and how many may still come."""

    span: UUID
    url: str
    room: int = NODES


def node(value: Any, page: Page, path: Path, start: int) -> str:
    """What an opened node holds, from a child or character on."""
    if isinstance(value, list):
        return _children(value, page, path, start, LEVELS)
    text = value if isinstance(value, str) else _word(value)
    left = len(text) - start - CHUNK
    more = _more(page, path, start + CHUNK, f"Show more, {left:,} characters are left") if left > 0 else ""
    return f"<pre>{turn_html.as_it_is(text[start : start + CHUNK])}</pre>{more}"


def _children(value: Sequence[Any], page: Page, path: Path, start: int, levels: int) -> str:
    """The children of an object or list, as many as one answer brings."""
    made = []
    for at in range(start, min(start + CHILDREN, len(value))):
        key, child = value[at] if isinstance(value, Members) else (str(at), value[at])
        made.append(f"<li>{_child(key, child, page, (*path, at), levels)}</li>")
    left = len(value) - start - CHILDREN
    if left > 0:
        made.append(f"<li>{_more(page, path, start + CHILDREN, f'Show more of {left:,}')}</li>")
    return f'<ul class="json">{"".join(made)}</ul>'


def _child(key: str, child: Any, page: Page, path: Path, levels: int) -> str:
    page.room -= 1
    name = f'<span class="nt">{turn_html.visible(key[:KEY])}{"…" if len(key) > KEY else ""}</span>'
    if not isinstance(child, list):
        if not isinstance(child, str) or len(child) <= TEXT:
            return f"{name}: {_leaf(child)}"
        kind = "text to be read" if isinstance(child, Unread) else "text"
        return _closed(f"{name} <i>{kind}, {len(child):,} characters</i> {turn_html.visible(child[:60])}…", page, path)
    kind = "member" if isinstance(child, Members) else "item"
    summary = f"{name} <i>{len(child):,} {kind}{'' if len(child) == 1 else 's'}</i>"
    if not child:
        return summary
    if levels == 0 or len(child) > page.room:
        return _closed(summary, page, path)
    inside = _children(child, page, path, 0, levels - 1)
    return f"<details><summary>{summary}</summary>{inside}</details>"


def _closed(summary: str, page: Page, path: Path) -> str:
    return lazy_links.later(page.url, _asked(page, path), summary, "Open this part")


def _more(page: Page, path: Path, start: int, words: str) -> str:
    return lazy_links.more(page.url, f"{_asked(page, path)}&amp;from={start}", words)


def _asked(page: Page, path: Path) -> str:
    return f"tab=raw&amp;span={page.span}" + (f"&amp;at={'.'.join(map(str, path))}" if path else "")


def _leaf(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        return f'<span class="s2">{turn_html.visible(json.dumps(str(value), ensure_ascii=False))}</span>'
    return f'<span class="mi">{turn_html.visible(_word(value))}</span>'


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
