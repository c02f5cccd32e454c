"""Text from a trace as HTML that can do nothing: no image, no link to follow, no hidden character.

Each function takes untrusted text and returns escaped HTML, ready to be marked safe.
"""

import html
import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from time import perf_counter

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Text, _TokenType

from reviewapp.traces.reader import invisible_chars

# In characters. Longer texts are shown plain, and those beyond the last limit cut: the time to format a text made to
# be slow grows faster than its length.
MARKDOWN_LIMIT = 30_000
CODE_LIMIT = 50_000
SHOW_LIMIT = 100_000
HIGHLIGHT_SECONDS = 0.2
INDENT_LIMIT = 40

# Each of these stays within the time above for texts made to be slow; `console` and `ini` do not.
LANGUAGES = frozenset(
    "bash sh shell c c++ cpp csharp cs css diff docker dockerfile go html http java javascript js json kotlin lua"
    " markdown md php powershell pytb python py ruby rb rust rs sql swift toml tsx typescript ts xml yaml yml".split()
)
_ALLOWED = set("p br hr h1 h2 h3 h4 h5 h6 strong em s blockquote ul ol li code pre span".split())
_ALLOWED |= set("table thead tbody tr th td".split())
_BLOCKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "blockquote", "th", "td")
_ATTRIBUTES = {**{tag: {"class"} for tag in ("span", "pre", "th", "td")}, "ol": {"start"}, "li": {"value"}}
_CLASS = re.compile(r"[a-z][a-z0-9]{0,3}|address|inert|cut|code|right|center")
_JSON_PIECE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_FORMATTER = HtmlFormatter(nowrap=True)


def render_markdown(text: str) -> str:
    """Markdown as HTML that keeps what was said: line breaks, and the numbers of a list as written.

    A link becomes its words and its address as text; an image its words; raw HTML stays text.
    """
    if len(text) > MARKDOWN_LIMIT:
        return f'<p class="plain" dir="auto">{sanitise_text(text)}</p>'
    made = _markdown().render(text, {"until": perf_counter() + HIGHLIGHT_SECONDS})
    clean = nh3.clean(
        made,
        tags=_ALLOWED,
        attributes={
            "span": {"class"},
            "pre": {"class"},
            "th": {"class"},
            "td": {"class"},
            "ol": {"start"},
            "li": {"value"},
        },
        attribute_filter=_attribute,
        set_tag_attribute_values={tag: {"dir": "auto"} for tag in _BLOCKS},
        link_rel=None,
    )
    return invisible_chars.reveal_invisible(clean)


def highlight_code(text: str, language: str = "") -> str:
    """The inside of a `<pre>`: highlighted where the language is known, in Pygments' classes."""
    if len(text) > CODE_LIMIT:
        return sanitise_text(text)
    return invisible_chars.reveal_invisible(_highlighted(text, language, perf_counter() + HIGHLIGHT_SECONDS))


def highlight_json(text: str) -> str:
    """The inside of a `<pre>`: JSON on several lines, its numbers and repeated keys as written; else the text."""
    if len(text) > SHOW_LIMIT:
        return sanitise_text(text)
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return sanitise_text(text)
    return invisible_chars.reveal_invisible("".join(_indented(text)))


def sanitise_text(text: str) -> str:
    """A text as it is, escaped; its line breaks are left to the style sheet."""
    shown = invisible_chars.reveal_invisible(html.escape(text[:SHOW_LIMIT]))
    left = len(text) - SHOW_LIMIT
    return f'{shown}<span class="cut"> {left:,} more characters are not shown.</span>' if left > 0 else shown


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    for name, rule in (
        ("link_open", _link_open),
        ("link_close", _link_close),
        ("image", _image),
        ("fence", _fence),
        ("list_item_open", _list_item),
        ("th_open", _cell),
        ("td_open", _cell),
    ):
        made.add_render_rule(name, rule)
    return made


def _link_open(_: RendererHTML, __: Sequence[Token], ___: int, ____: OptionsDict, _____: EnvType) -> str:
    return ""


def _link_close(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    opened = next(place for place in range(at, -1, -1) if tokens[place].type == "link_open")
    words = renderer.renderInlineAsText(tokens[opened + 1 : at], options, env)
    address = str(tokens[opened].attrGet("href") or "")
    return "" if address.removeprefix("mailto:") == words else _address(address)


def _image(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    words = renderer.renderInlineAsText(tokens[at].children, options, env)
    told = html.escape(f"Image, not loaded: {words}".removesuffix(": "))
    return f'<span class="inert">{told}{_address(str(tokens[at].attrGet("src") or ""))}</span>'


def _address(address: str) -> str:
    return f' <span class="address">({html.escape(address)})</span>' if address else ""


def _fence(_: RendererHTML, tokens: Sequence[Token], at: int, __: OptionsDict, env: EnvType) -> str:
    language = tokens[at].info.split(maxsplit=1)[0] if tokens[at].info.strip() else ""
    return f'<pre class="code"><code>{_highlighted(tokens[at].content, language, env["until"])}</code></pre>\n'


def _list_item(_: RendererHTML, tokens: Sequence[Token], at: int, __: OptionsDict, ___: EnvType) -> str:
    # The number as written: an answer may speak of “clause 8”, and markdown would count anew.
    number = tokens[at].info
    return f'<li value="{number}">' if number.isdecimal() and number.isascii() else "<li>"


def _cell(_: RendererHTML, tokens: Sequence[Token], at: int, __: OptionsDict, ___: EnvType) -> str:
    # A class, because a page without inline styles drops markdown's style attribute.
    side = str(tokens[at].attrGet("style") or "").removeprefix("text-align:")
    return f'<{tokens[at].tag} class="{side}">' if side in ("right", "center") else f"<{tokens[at].tag}>"


def _attribute(_: str, attribute: str, value: str) -> str | None:
    if attribute == "class":
        return value if all(_CLASS.fullmatch(word) for word in value.split()) else None
    return value if attribute == "dir" or value.isdecimal() else None


def _highlighted(text: str, language: str, until: float) -> str:
    if language.lower() not in LANGUAGES or perf_counter() > until:
        return html.escape(text)
    made = io.StringIO()
    _FORMATTER.format(_tokens(text, _lexer(language.lower()), until), made)
    return made.getvalue().removesuffix("\n") if not text.endswith("\n") else made.getvalue()


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language)


def _tokens(text: str, lexer: Lexer, until: float) -> Iterator[tuple[_TokenType, str]]:
    """The lexer's tokens until its time is up, then the rest as plain text."""
    for at, kind, value in lexer.get_tokens_unprocessed(text):
        yield kind, value
        if perf_counter() > until:
            yield Text, text[at + len(value) :]
            return


def _indented(text: str) -> Iterator[str]:
    """JSON set on lines, in Pygments' classes: its lexer takes five times as long, on a page that must be quick."""
    depth = 0
    pieces = _JSON_PIECE.findall(text)
    for at, piece in enumerate(pieces):
        follows = pieces[at + 1] if at + 1 < len(pieces) else ""
        if piece in ("{", "["):
            depth += 1
            yield piece if follows in ("}", "]") else piece + _line(depth)
        elif piece in ("}", "]"):
            depth -= 1
            yield piece if pieces[at - 1] in ("{", "[") else _line(depth) + piece
        elif piece == ",":
            yield piece + _line(depth)
        elif piece == ":":
            yield ": "
        else:
            kind = "nt" if follows == ":" else "s2" if piece[0] == '"' else "mi"
            yield f'<span class="{kind}">{html.escape(piece, quote=False)}</span>'


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, INDENT_LIMIT)
