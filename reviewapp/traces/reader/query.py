"""Which part of a trace a URL selects: a tab, and within it a turn, a node or a page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from reviewapp.lib.numbers import parse_int

TABS = ("transcript", "steps", "metadata", "raw")
# What a jump can go to.
JUMP_KINDS = ("answer", "error", "tool", "longest", "match")
MAX_SEARCH_LENGTH = 200
# In characters.
PATH_LIMIT = 6_000
_PATH = re.compile(r"\d{1,9}(?:\.\d{1,9})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReaderQuery:
    """A parsed URL query. Turns count from 1; `part` and `node_path`, a path of positions into a span, from 0.

    `jump` requests the next target of a kind after turn or step `after`; a step is named by its primary key.
    `is_as_written` requests texts as they were sent instead of rendered.
    `is_fragment` requests the selected part alone, `is_rest` all folded turns that are not loaded yet,
    `is_tools` the tools that the models were offered.
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
    is_as_written: bool = False
    is_fragment: bool = False
    is_rest: bool = False
    is_tools: bool = False

    @property
    def search_error(self) -> str:
        """Why the search text is not searched for, as a sentence; empty if it is."""
        if len(self.search_text) <= MAX_SEARCH_LENGTH:
            return ""
        return f"The search text is longer than {MAX_SEARCH_LENGTH} characters. Shorten it and search again."


# A trace opened without parameters.
DEFAULT_QUERY = ReaderQuery()


def parse_query(query: Mapping[str, str]) -> ReaderQuery:
    """Parse the query parameters of a URL; malformed ones are ignored."""
    tab, path, jump = query.get("tab", ""), query.get("at", ""), query.get("jump", "")
    return ReaderQuery(
        tab=tab if tab in TABS else TABS[0],
        search_text=query.get("find", "").strip(),
        key_filter=query.get("key", "").strip(),
        turn=parse_int(query.get("turn")),
        part=parse_int(query.get("part")),
        span_id=_parse_uuid(query.get("span", "")),
        node_path=tuple(map(int, path.split("."))) if len(path) <= PATH_LIMIT and _PATH.fullmatch(path) else (),
        start=parse_int(query.get("from")),
        stop=parse_int(query.get("to")),
        jump=jump if jump in JUMP_KINDS else "",
        after=parse_int(query.get("after")),
        is_as_written=query.get("as", "") == "written",
        is_fragment="piece" in query,
        is_rest="rest" in query,
        is_tools="tools" in query,
    )


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) <= 36 else None
    except ValueError:
        return None
