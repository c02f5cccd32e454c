"""Highlight code with Pygments, in pieces: its lexers take the square of a text that is crafted to be slow.

A piece of n characters takes at most n² steps, so a page takes at most CODE_CHARS times the size of a piece.
"""

import html
import io
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Text, _TokenType

# Characters of code that are highlighted on a page.
CODE_CHARS = 40_000
# Characters that are highlighted at once. The slower a language's lexer may get, the fewer: a page of the worst text
# that is known of any of them takes about two seconds.
PIECE_SIZE = 2_000
PIECE_SIZES = {
    **dict.fromkeys(("csharp", "cs"), 200), "java": 700, **dict.fromkeys(("ts", "tsx", "typescript"), 1_500),
    **dict.fromkeys(("c", "c++", "cpp", "markdown", "md"), 1_000),
}  # fmt: skip
LANGUAGES = frozenset(
    "bash sh shell c c++ cpp csharp cs css diff docker dockerfile go html java javascript js json kotlin lua"
    " markdown md php powershell pytb python py ruby rb rust rs sql swift toml tsx typescript ts xml yaml yml".split()
)
_FORMATTER = HtmlFormatter(nowrap=True)


class HighlightedCode(NamedTuple):
    """Code as HTML, and how many of its characters were highlighted."""

    html: str
    char_count: int


def highlight(text: str, language: str, max_chars: int) -> HighlightedCode:
    """Highlight up to `max_chars` characters with Pygments' classes if the language is supported.

    A line that is longer than a piece is plain, as is everything from the first piece on that does not fit. A sentence
    at the end says so.
    """
    language = language.lower()
    if language not in LANGUAGES:
        return HighlightedCode(html.escape(text), 0)
    size = PIECE_SIZES.get(language, PIECE_SIZE)
    tokens: list[tuple[_TokenType, str]] = []
    position = char_count = 0
    notes = []
    for piece in _split(text, size):
        if len(piece) > size:
            notes = [f"Not coloured: lines longer than {size:,} characters."]
            tokens.append((Text, piece))
        elif char_count + len(piece) > max_chars:
            line = text.count("\n", 0, position) + 1
            notes.append(
                f"Not coloured from line {line:,} on: this page has more than {CODE_CHARS:,} characters of code."
            )
            tokens.append((Text, text[position:]))
            break
        else:
            tokens += ((kind, value) for _, kind, value in _lexer(language).get_tokens_unprocessed(piece))
            char_count += len(piece)
        position += len(piece)
    line_break = "" if text.endswith("\n") else "\n"
    note = f'<span class="rest">{line_break}{" ".join(notes)}</span>' if notes else ""
    return HighlightedCode(f"{_format(tokens, text)}{note}", char_count)


def _split(text: str, size: int) -> Iterator[str]:
    """Split a text at line ends into pieces of at most this size, each as long as possible; a longer line is a piece.

    An empty line is a better end: few strings or comments go on behind one.
    """
    start = 0
    while start < len(text):
        limit = start + size
        if limit >= len(text):
            end = len(text)
        else:
            end = text.rfind("\n\n", start + size // 2, limit) + 2
            end = end if end > 1 else text.rfind("\n", start, limit) + 1
            end = end or text.find("\n", limit) + 1 or len(text)
        yield text[start:end]
        start = end


def _format(tokens: list[tuple[_TokenType, str]], text: str) -> str:
    buffer = io.StringIO()
    _FORMATTER.format(tokens, buffer)
    highlighted = buffer.getvalue()
    return highlighted if text.endswith("\n") else highlighted.removesuffix("\n")


@cache
def _lexer(language: str) -> Lexer:
    # A block in a Markdown text may name any of Pygments' languages, some of which are slower than all of these.
    return get_lexer_by_name(language, handlecodeblocks=False)
