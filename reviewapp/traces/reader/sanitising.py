"""Render text from a trace as inert HTML: no images, no links, no hidden characters.

Each function takes untrusted text and returns escaped HTML, ready to be marked safe.
"""

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import nh3
from django.utils.html import conditional_escape
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType, StateBase
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from reviewapp.lib import exact_json, invisible_chars
from reviewapp.traces.reader import highlighting, markdown_rules
from reviewapp.traces.transcript import parts

# In characters. Longer texts are shown plain, and texts over the last limit are cut.
MARKDOWN_LIMIT = 30_000
SHOW_LIMIT = 100_000
INDENT_LIMIT = 40
# Characters of a word with hyphens that a cell of a table keeps on one line.
WHOLE_CELL_LIMIT = 24
# How often JSON in a string in JSON is shown as JSON: each level at least doubles the text around it.
NESTING_LIMIT = 4

# In applications of a Markdown rule, of one text and of a page's texts together. Prose takes one for twenty characters,
# a text crafted to be slow two for each.
TEXT_STEPS, PAGE_STEPS = 20_000, 100_000
_ALLOWED = set("p br hr h1 h2 h3 h4 h5 h6 strong em s sup blockquote ul ol li code pre span".split())
_ALLOWED |= set("table thead tbody tr th td".split())
_BLOCKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "blockquote", "th", "td")
_ATTRIBUTES = {
    "p": {"class"},
    "span": {"class"}, "pre": {"class"}, "th": {"class"}, "td": {"class"}, "ol": {"start"}, "li": {"value"},
}  # fmt: skip
_CLASS = re.compile(r"[a-z][a-z0-9]{0,3}|address|inert|cut|code|right|center|block|whole")
_JSON_LEXEME = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@dataclass(slots=True)
class FormatBudget:
    """What formatting the texts of one page may still cost. It counts steps, never time: a page is always the same."""

    steps: int = PAGE_STEPS
    code_chars: int = highlighting.CODE_CHARS


class _TooManyStepsError(Exception):
    pass


def render_markdown(text: str, budget: FormatBudget | None = None) -> str:
    """Render Markdown as HTML, with line breaks and list numbers as written.

    A link becomes its text and its URL as text; an image its alt text; raw HTML stays text. A text that is too long, or
    over the budget, is shown plain with a sentence that says so.
    """
    if len(text) > MARKDOWN_LIMIT:
        return _render_plain(text, f"it is longer than {MARKDOWN_LIMIT:,} characters")
    budget = budget or FormatBudget()
    steps = min(TEXT_STEPS, budget.steps)
    env: dict[str, Any] = {"budget": budget, "steps": steps}
    try:
        unsafe = _markdown().render(text, env)
    except _TooManyStepsError:
        budget.steps -= steps
        return _render_plain(text, f"{'it' if steps == TEXT_STEPS else 'this page'} has too much Markdown")
    budget.steps -= steps - env["steps"]
    clean = nh3.clean(
        unsafe,
        tags=_ALLOWED,
        attributes=_ATTRIBUTES,
        attribute_filter=_filter_attribute,
        set_tag_attribute_values={tag: {"dir": "auto"} for tag in _BLOCKS},
        link_rel=None,
    )
    return invisible_chars.reveal_in_html(clean)


def highlight_code(text: str, language: str = "", budget: FormatBudget | None = None) -> str:
    """Render the content of a `<pre>`: highlighted with Pygments' classes as far as the page's budget goes."""
    highlighted = _highlight(text[:SHOW_LIMIT], language, budget or FormatBudget())
    return f"{invisible_chars.reveal_in_html(highlighted)}{_note_omitted(text)}"


def highlight_json(text: str) -> str:
    """Render the content of a `<pre>`: JSON on several lines, numbers and repeated keys as written; else the text."""
    if len(text) > SHOW_LIMIT:
        return sanitise_text(text)
    try:
        is_json = exact_json.is_json(text)
    except RecursionError:
        is_json = False
    if not is_json:
        return sanitise_text(text)
    return invisible_chars.reveal_in_html("".join(_indent_json(text)))


def sanitise_text(text: str) -> str:
    """Render plain text, escaped unless it is safe HTML; the style sheet keeps its line breaks."""
    shown = invisible_chars.reveal_in_html(conditional_escape(text if len(text) <= SHOW_LIMIT else text[:SHOW_LIMIT]))
    return f"{shown}{_note_omitted(text)}"


def _note_omitted(text: str) -> str:
    omitted = len(text) - SHOW_LIMIT
    noun = "character" if omitted == 1 else "characters"
    return f'<span class="cut"> {omitted:,} more {noun} not shown.</span>' if omitted > 0 else ""


def _render_plain(text: str, reason: str) -> str:
    note = f'<p class="second">This text is shown as plain text because {reason}.</p>'
    return f'<p class="plain" dir="auto">{sanitise_text(text)}</p>{note}'


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    markdown_rules.keep_all_characters(markdown)
    markdown_rules.add_formats(markdown)
    # First of all rules, so it is applied wherever the parser looks for one.
    markdown.inline.ruler.before("text", "count_step", _count_step)
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    markdown.block.ruler.before("table", "count_step", _count_step, interrupts)
    for name, rule in (
        ("link_open", _render_link_open),
        ("link_close", _render_link_close),
        ("image", _render_image),
        ("fence", _render_fence),
        ("list_item_open", _render_list_item),
        ("th_open", _render_cell),
        ("td_open", _render_cell),
        ("math", _render_math),
        ("footnote", _render_footnote),
    ):
        markdown.add_render_rule(name, rule)
    return markdown


def _count_step(state: StateBase, *_: object) -> bool:
    """A Markdown rule that never matches. Raises _TooManyStepsError."""
    state.env["steps"] -= 1
    if state.env["steps"] < 0:
        raise _TooManyStepsError
    return False


def _render_link_open(_: RendererHTML, __: Sequence[Token], ___: int, ____: OptionsDict, _____: EnvType) -> str:
    return ""


def _render_link_close(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    opening = next(i for i in range(index, -1, -1) if tokens[i].type == "link_open")
    text = renderer.renderInlineAsText(tokens[opening + 1 : index], options, env)
    url, title = (str(tokens[opening].attrGet(name) or "") for name in ("href", "title"))
    return "" if url.removeprefix("mailto:") == text and not title else _render_url(f"{url} {title}".strip())


def _render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    alt = renderer.renderInlineAsText(tokens[index].children, options, env)
    label = html.escape(f"Image, not loaded: {alt}".removesuffix(": "))
    url, title = (str(tokens[index].attrGet(name) or "") for name in ("src", "title"))
    return f'<span class="inert">{label}{_render_url(f"{url} {title}".strip())}</span>'


def _render_url(url: str) -> str:
    return f' <span class="address">({html.escape(url)})</span>' if url else ""


def _render_fence(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, env: EnvType) -> str:
    info = tokens[index].info.strip()
    language = info.split(maxsplit=1)[0] if info else ""
    # What the highlighting does not show: a language that it does not know, a file name.
    caption = f'<p class="info">{html.escape(info)}</p>' if info.lower() not in ("", *highlighting.LANGUAGES) else ""
    return (
        f'{caption}<pre class="code"><code>{_highlight(tokens[index].content, language, env["budget"])}</code></pre>\n'
    )


def _render_list_item(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType) -> str:
    # The number as written: an answer may refer to “clause 8”, and Markdown would renumber the list.
    number = tokens[index].info
    return f'<li value="{number}">' if number.isdecimal() and number.isascii() else "<li>"


def _render_cell(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType) -> str:
    # A class, because the page's policy forbids inline styles and so Markdown's style attribute.
    side = str(tokens[index].attrGet("style") or "").removeprefix("text-align:")
    classes = [side] if side in ("right", "center") else []
    content = tokens[index + 1].content
    # A browser would break it at its hyphen: V-01, 2026-11-30.
    if "-" in content and len(content) <= WHOLE_CELL_LIMIT and " " not in content:
        classes.append("whole")
    return f'<{tokens[index].tag} class="{" ".join(classes)}">' if classes else f"<{tokens[index].tag}>"


def _render_math(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType) -> str:
    css_class = "math block" if tokens[index].info else "math"
    return f'<span class="{css_class}">{html.escape(tokens[index].content)}</span>'


def _render_footnote(_: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, ___: EnvType) -> str:
    return f"<sup>{html.escape(tokens[index].content)}</sup>"


def _filter_attribute(_: str, attribute: str, value: str) -> str | None:
    if attribute == "class":
        return value if all(_CLASS.fullmatch(word) for word in value.split()) else None
    return value if attribute == "dir" or value.isdecimal() else None


def _highlight(text: str, language: str, budget: FormatBudget) -> str:
    code = highlighting.highlight(text, language, budget.code_chars)
    budget.code_chars -= code.char_count
    return code.html


def _indent_json(text: str, depth: int = 0, nesting: int = 0) -> Iterator[str]:
    """Yield JSON on several lines with Pygments' classes, five times as fast as its lexer; so is JSON in a string."""
    lexemes = _JSON_LEXEME.findall(text)
    for index, lexeme in enumerate(lexemes):
        following = lexemes[index + 1] if index + 1 < len(lexemes) else ""
        if lexeme in ("{", "["):
            depth += 1
            yield lexeme if following in ("}", "]") else lexeme + _line_break(depth)
        elif lexeme in ("}", "]"):
            depth -= 1
            yield lexeme if lexemes[index - 1] in ("{", "[") else _line_break(depth) + lexeme
        elif lexeme == ",":
            yield lexeme + _line_break(depth)
        elif lexeme == ":":
            yield ": "
        elif inner := _inner_json(lexeme) if nesting < NESTING_LIMIT and following != ":" else "":
            yield '<span class="s2">&quot;</span>'
            yield from _indent_json(inner, depth, nesting + 1)
            yield '<span class="s2">&quot;</span>'
        else:
            css_class = "nt" if following == ":" else "s2" if lexeme[0] == '"' else "mi"
            yield f'<span class="{css_class}">{html.escape(lexeme, quote=False)}</span>'


def _inner_json(lexeme: str) -> str:
    """Return the JSON object or array inside a JSON string; empty if it has none."""
    if not lexeme.startswith(('"{', '"[')) or "\\" not in lexeme:
        return ""
    try:
        inner: str = json.loads(lexeme)
        return parts.decode_escapes(inner) if exact_json.is_json(inner) else ""
    except (ValueError, RecursionError):
        return ""


def _line_break(depth: int) -> str:
    return "\n" + "  " * min(depth, INDENT_LIMIT)
