"""Text from a trace as HTML that can do nothing: no image, no link to follow, no hidden character.

Each function takes untrusted text and returns escaped HTML, ready to be marked safe.
"""

import html
import json
import re
from collections.abc import Iterator

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

MARKDOWN_LIMIT = 100_000
CODE_LIMIT = 50_000
INDENT_LIMIT = 40

# Lexers of these languages only: some of the rest need very long for a text made to that end.
LANGUAGES = frozenset(
    "bash c c++ console cpp cs css csharp diff docker dockerfile go html http ini java javascript js json jsx kotlin lua"
    " markdown md php powershell pytb python py ruby rb rust rs sh shell sql swift toml ts tsx typescript xml yaml yml".split()
)
_TAGS = set(
    "p br hr h1 h2 h3 h4 h5 h6 strong em s blockquote ul ol li code pre span table thead tbody tr th td".split()
)
_BLOCKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "blockquote", "th", "td")
_CLASS = re.compile(r"[a-z][a-z0-9]{0,3}|address|inert|cut|code")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')

# Controls, soft hyphens, joiners, direction marks, invisible letters and the tag characters that hide ASCII.
# Joiners inside an emoji or between letters that need them, and one variation selector, are part of the writing.
_EMOJI = "\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff"
_HIDDEN = re.compile(
    f"(?<=[{_EMOJI}\ufe0f])(?P<joined>\u200d)(?=[{_EMOJI}])|(?<=[\u0600-\u0dff])(?P<spelled>[\u200c\u200d])(?=[\u0600-\u0dff])"
    "|(?<=[\u3400-\u9fff])(?P<variant>[\U000e0100-\U000e01ef])(?![\U000e0100-\U000e01ef])"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]+"
)
