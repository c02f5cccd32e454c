"""Markdown without the rules that remove characters from a text: what a model wrote is shown, formatted or not."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

# Bounded, since they are tried at every underscore and colon.
_DUNDER = re.compile(r"__[^\W_]\w{0,60}?__(?!\w)")
_ADDRESS = re.compile(r"://[^\s<>()\[\]`*\"']{1,500}")
_FOOTNOTE = re.compile(r"^\[\^([^\]\s]{1,40})\]:", re.MULTILINE)
_REFERENCE = re.compile(r"\[\^([^\]\s]{1,40})\]")
TABLE_ROW_LEVEL = 3
# Opening and closing delimiters of LaTeX, and the characters between them at most.
_MATH = {"$$": ("$$", 2_000), "\\[": ("\\]", 2_000), "\\(": ("\\)", 500), "$": ("$", 300)}
# What tells a formula between single dollars from two prices.
_MATH_SIGN = re.compile(r"[\\^_{}=<>+*/]|^[A-Za-z]$")
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def keep_all_characters(markdown: MarkdownIt) -> None:
    """Replace the rules of a parser that remove more than markers."""
    # `<dc:title>` would become a link, `[1]: text` a definition, `&copy;` another character.
    markdown.disable(["autolink", "reference", "entity", "escape"])
    for name, rule in (("backslash", _keep_backslash), ("dunder", _keep_dunder), ("address", _keep_address)):
        markdown.inline.ruler.before("emphasis", name, rule)
    markdown.core.ruler.after("block", "surplus_cells", _keep_surplus_cells)


def add_formats(markdown: MarkdownIt) -> None:
    """Add formulas, which are shown as they were typed, footnotes where they stand, and task lists.

    The usual plugins move footnotes to the end, drop those that nothing refers to, and write links and form fields.
    """
    markdown.inline.ruler.before("backslash", "math", _read_math)
    markdown.inline.ruler.before("link", "footnote", _read_footnote)
    markdown.core.ruler.before("inline", "footnotes", _find_footnotes)
    markdown.core.ruler.after("inline", "task_list", _read_task_list)


def _read_math(state: StateInline, is_silent: bool) -> bool:
    """A Markdown rule that takes no markers from LaTeX between its delimiters."""
    source, start = state.src, state.pos
    opener = source[start : start + 2] if source[start : start + 2] in _MATH else source[start]
    if opener not in _MATH:
        return False
    closer, limit = _MATH[opener]
    end = source.find(closer, start + len(opener), min(start + limit, state.posMax))
    formula = source[start + len(opener) : end]
    if end < 0 or not formula.strip() or (opener == "$" and not _is_formula(formula, source[end + 1 : end + 2])):
        return False
    if not is_silent:
        token = state.push("math", "", 0)
        token.content = source[start : end + len(closer)]
        token.info = "block" if opener in ("$$", "\\[") else ""
    state.pos = end + len(closer)
    return True


def _is_formula(formula: str, following: str) -> bool:
    is_tight = not formula[0].isspace() and not formula[-1].isspace() and formula[-1] != "\\"
    return is_tight and not following.isdigit() and bool(_MATH_SIGN.search(formula))


def _find_footnotes(state: StateCore) -> None:
    """A Markdown rule that lists the footnotes of a text: only what is explained is a reference."""
    state.env["footnotes"] = set(_FOOTNOTE.findall(state.src)) if "[^" in state.src else set()


def _read_footnote(state: StateInline, is_silent: bool) -> bool:
    """A Markdown rule that raises the number of a footnote, in the text and in front of the note."""
    match = _REFERENCE.match(state.src, state.pos, state.posMax) if state.env.get("footnotes") else None
    if match is None or match[1] not in state.env["footnotes"]:
        return False
    if not is_silent:
        state.push("footnote", "", 0).content = match[1]
    state.pos = match.end()
    return True


def _read_task_list(state: StateCore) -> None:
    """A Markdown rule that shows the boxes of a task list as boxes."""
    for index, token in enumerate(state.tokens):
        is_item = index > 1 and token.type == "inline" and state.tokens[index - 2].type == "list_item_open"
        first = token.children[0] if is_item and token.children else None
        if first is not None and first.type == "text" and first.content[:4] in _BOXES:
            first.content = _BOXES[first.content[:4]] + first.content[4:]


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
