"""Markdown without the rules that remove characters from a text: what a model wrote is shown, formatted or not."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

# Bounded, since they are tried at every underscore and colon.
_DUNDER = re.compile(r"__[^\W_]\w{0,60}?__(?!\w)")
_ADDRESS = re.compile(r"://[^\s<>()\[\]`*\"']{1,500}")
TABLE_ROW_LEVEL = 3


def keep_all_characters(markdown: MarkdownIt) -> None:
    """Replace the rules of a parser that remove more than markers."""
    # `<dc:title>` would become a link, `[1]: text` a definition, `&copy;` another character.
    markdown.disable(["autolink", "reference", "entity", "escape"])
    for name, rule in (("backslash", _keep_backslash), ("dunder", _keep_dunder), ("address", _keep_address)):
        markdown.inline.ruler.before("emphasis", name, rule)
    markdown.core.ruler.after("block", "surplus_cells", _keep_surplus_cells)


def _keep_backslash(state: StateInline, is_silent: bool) -> bool:
    """A Markdown rule that shows a backslash, and takes no marker from the character after it."""
    if state.src[state.pos] != "\\":
        return False
    end = min(state.pos + (1 if state.src[state.pos + 1 : state.pos + 2] == "\n" else 2), state.posMax)
    if not is_silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _keep_dunder(state: StateInline, is_silent: bool) -> bool:
    """A Markdown rule that shows a name in double underscores, as Python has them, instead of bold print."""
    return _keep_match(state, _DUNDER, is_silent) if state.src[state.pos] == "_" else False


def _keep_address(state: StateInline, is_silent: bool) -> bool:
    """A Markdown rule that takes no markers from an address."""
    return _keep_match(state, _ADDRESS, is_silent) if state.src[state.pos] == ":" else False


def _keep_match(state: StateInline, pattern: re.Pattern[str], is_silent: bool) -> bool:
    match = pattern.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not is_silent:
        state.pending += match[0]
    state.pos = match.end()
    return True


def _keep_surplus_cells(state: StateCore) -> None:
    """A Markdown rule that puts the cells that a row has and the head of its table has not into the row's last cell."""
    lines: list[str] = []
    surplus: list[str] = []
    for index, token in enumerate(state.tokens):
        if token.type == "tr_open" and token.map and token.level <= TABLE_ROW_LEVEL:
            lines = lines or state.src.split("\n")
            cells = escapedSplit(lines[token.map[0]].strip())
            surplus = [cell.strip() for cell in cells[1 if cells[:1] == [""] else 0 :]]
            surplus = surplus[:-1] if surplus[-1:] == [""] else surplus
        elif token.type == "inline" and state.tokens[index - 1].type in ("td_open", "th_open"):
            surplus = surplus[1:]
            if state.tokens[index + 2].type == "tr_close" and surplus:
                token.content = " | ".join([token.content, *surplus])
