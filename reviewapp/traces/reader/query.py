"""What somebody wants to see of a trace: a tab, and in it a turn, a node or a page; all of it in the address."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from reviewapp.lib.numbers import parse_int

TABS = ("transcript", "steps", "metadata", "raw")
# What one jumps to the next of.
KINDS = ("answer", "error", "tool", "longest", "match")
MAX_SEARCH_LENGTH = 200
PATH_LIMIT = 6_000
_PATH = re.compile(r"\d{1,9}(?:\.\d{1,9})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReaderQuery:
    """Numbers count as the page does: turns from 1; `part` and `at`, a path of positions into a span, from 0.

    `jump` asks for the next of a kind after turn or step `after`; a step is named by its primary key.
    `is_piece` asks for the wanted part alone, `is_rest` for all folded turns that were left to be loaded.
    """

    tab: str = TABS[0]
    search_text: str = ""
    key_filter: str = ""
    turn: int | None = None
    part: int | None = None
    span_id: UUID | None = None
    node_path: tuple[int, ...] = ()
    start: int | None = None
    stop: int | None = None
    jump: str = ""
    after: int | None = None
    is_fragment: bool = False
    is_rest: bool = False


# A trace as one comes to it.
OPENING = ReaderQuery()


def parse_query(query: Mapping[str, str]) -> ReaderQuery:
    """The wish that an address's query spells; whatever it spells wrongly is not wished."""
    tab, path, jump = query.get("tab", ""), query.get("at", ""), query.get("jump", "")
    return ReaderQuery(
        tab=tab if tab in TABS else TABS[0],
        search_text=query.get("find", "").strip()[:MAX_SEARCH_LENGTH],
        key_filter=query.get("key", "").strip()[:MAX_SEARCH_LENGTH],
        turn=parse_int(query.get("turn")),
        part=parse_int(query.get("part")),
        span_id=_uuid(query.get("span", "")),
        node_path=tuple(map(int, path.split("."))) if len(path) <= PATH_LIMIT and _PATH.fullmatch(path) else (),
        start=parse_int(query.get("from")),
        stop=parse_int(query.get("to")),
        jump=jump if jump in KINDS else "",
        after=parse_int(query.get("after")),
        is_fragment="piece" in query,
        is_rest="rest" in query,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) <= 36 else None
    except ValueError:
        return None
