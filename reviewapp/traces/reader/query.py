"""What somebody wants to see of a trace: a tab, and in it a turn, a node or a page; all of it in the address."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from reviewapp.lib.numbers import whole

TABS = ("transcript", "steps", "metadata", "raw")
# What one jumps to the next of.
KINDS = ("answer", "error", "tool", "longest", "match")
FIND_LIMIT = 200
PATH_LIMIT = 6_000
_PATH = re.compile(r"\d{1,9}(?:\.\d{1,9})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """Numbers count as the page does: turns from 1; `part` and `at`, a path of positions into a span, from 0.

    `jump` asks for the next of a kind after turn or step `after`; a step is named by its primary key.
    `is_piece` asks for the wanted part alone, `is_rest` for all folded turns that were left to be loaded.
    """

    tab: str = TABS[0]
    find: str = ""
    key: str = ""
    turn: int | None = None
    part: int | None = None
    span: UUID | None = None
    at: tuple[int, ...] = ()
    start: int | None = None
    stop: int | None = None
    jump: str = ""
    after: int | None = None
    is_piece: bool = False
    is_rest: bool = False


# A trace as one comes to it.
OPENING = Wish()


def read(query: Mapping[str, str]) -> Wish:
    """The wish that an address's query spells; whatever it spells wrongly is not wished."""
    tab, path, jump = query.get("tab", ""), query.get("at", ""), query.get("jump", "")
    return Wish(
        tab=tab if tab in TABS else TABS[0],
        find=query.get("find", "").strip()[:FIND_LIMIT],
        key=query.get("key", "").strip()[:FIND_LIMIT],
        turn=whole(query.get("turn")),
        part=whole(query.get("part")),
        span=_uuid(query.get("span", "")),
        at=tuple(map(int, path.split("."))) if len(path) <= PATH_LIMIT and _PATH.fullmatch(path) else (),
        start=whole(query.get("from")),
        stop=whole(query.get("to")),
        jump=jump if jump in KINDS else "",
        after=whole(query.get("after")),
        is_piece="piece" in query,
        is_rest="rest" in query,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) <= 36 else None
    except ValueError:
        return None
