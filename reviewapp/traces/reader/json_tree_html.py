"""A span's JSON tree as HTML: small nodes are rendered at once, big ones are loaded when they are opened."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from reviewapp.lib.shortening import shorten
from reviewapp.traces.reader import lazy_links, turn_html
from reviewapp.traces.reader.raw import Members, Number, UnparsedText
from reviewapp.traces.reader.sanitising import sanitise_text

# Per response: nodes in all, levels below the requested node, children of one node, characters of an inline text.
NODES_LIMIT, LEVELS_LIMIT, CHILDREN_LIMIT, INLINE_TEXT_LIMIT = 300, 6, 100, 1_000
# Characters of a long text per response.
CHUNK = 100_000
KEY_LIMIT = 200

Path = tuple[int, ...]


@dataclass(slots=True)
class TreePage:
    """A response being rendered: the span, the URL that serves its nodes, and how many more nodes fit."""

    span_id: UUID
    url: str
    remaining_nodes: int = NODES_LIMIT


def render_node(value: Any, page: TreePage, path: Path, start: int) -> str:
    """Render the content of an opened node from child or character `start` on."""
    if isinstance(value, list):
        return _render_children(value, page, path, start, LEVELS_LIMIT)
    text = value if isinstance(value, str) else _scalar_text(value)
    end = start + CHUNK
    remaining = len(text) - end
    more_link = _more_link(page, path, end, f"Show more ({remaining:,} characters remaining)") if remaining > 0 else ""
    return f"<pre>{turn_html.sanitise_long_text(text[start:end])}</pre>{more_link}"


def _render_children(value: Sequence[Any], page: TreePage, path: Path, start: int, levels: int) -> str:
    """Render the children of an object or list, as many as one response may hold."""
    items = []
    for index in range(start, min(start + CHILDREN_LIMIT, len(value))):
        key, child = value[index] if isinstance(value, Members) else (str(index), value[index])
        items.append(f"<li>{_render_child(key, child, page, (*path, index), levels)}</li>")
    remaining = len(value) - start - CHILDREN_LIMIT
    if remaining > 0:
        more_link = _more_link(page, path, start + CHILDREN_LIMIT, f"Show more ({remaining:,} remaining)")
        items.append(f"<li>{more_link}</li>")
    return f'<ul class="json">{"".join(items)}</ul>'


def _render_child(key: str, child: Any, page: TreePage, path: Path, levels: int) -> str:
    page.remaining_nodes -= 1
    name = f'<span class="nt">{sanitise_text(shorten(key, KEY_LIMIT + 1))}</span>'
    if not isinstance(child, list):
        if not isinstance(child, str) or len(child) <= INLINE_TEXT_LIMIT:
            return f"{name}: {_render_scalar(child)}"
        kind = "unparsed text" if isinstance(child, UnparsedText) else "text"
        summary = f"{name} <i>{kind}, {len(child):,} characters</i> {sanitise_text(child[:60])}…"
        return _closed_node(summary, page, path)
    unit = "member" if isinstance(child, Members) else "item"
    summary = f"{name} <i>{len(child):,} {unit}{'' if len(child) == 1 else 's'}</i>"
    if not child:
        return summary
    if levels == 0 or len(child) > page.remaining_nodes:
        return _closed_node(summary, page, path)
    children = _render_children(child, page, path, 0, levels - 1)
    return f"<details><summary>{summary}</summary>{children}</details>"


def _closed_node(summary: str, page: TreePage, path: Path) -> str:
    return lazy_links.render_lazy_details(page.url, _query_string(page, path), summary, "Open this part")


def _more_link(page: TreePage, path: Path, start: int, label: str) -> str:
    return lazy_links.render_more_link(page.url, f"{_query_string(page, path)}&amp;from={start}", label)


def _query_string(page: TreePage, path: Path) -> str:
    return f"tab=raw&amp;span={page.span_id}" + (f"&amp;at={'.'.join(map(str, path))}" if path else "")


def _render_scalar(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        return f'<span class="s2">{sanitise_text(json.dumps(str(value), ensure_ascii=False))}</span>'
    return f'<span class="mi">{sanitise_text(_scalar_text(value))}</span>'


def _scalar_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
