"""The pieces of the workbench that are made in one go, since it is the page that must be quickest."""

from collections.abc import Sequence
from functools import lru_cache

from django import template
from django.utils.safestring import SafeString, mark_safe

from reviewapp.lib.word_diff import DiffSegment
from reviewapp.reviews.rail import Segment
from reviewapp.traces.reader import sanitising

register = template.Library()


@register.simple_tag
def render_rail(segments: Sequence[Segment], items_url: str) -> SafeString:
    """The rail's list items, each a link that says what has become of its item."""
    here = next((number for number, segment in enumerate(segments) if segment.is_current), 0)
    items = (_item(segment, items_url, abs(number - here) < 2) for number, segment in enumerate(segments))
    # Numbers, our own words and our own address: there is nothing in it to escape.
    return mark_safe("".join(items))  # noqa: S308


@register.filter
def render_diff(pieces: Sequence[DiffSegment]) -> SafeString:
    """A word diff: what went struck out, what came marked."""
    marks = {"same": ("", ""), "removed": ("<del>", "</del>"), "added": ("<ins>", "</ins>")}
    shown = [f"{marks[piece.kind][0]}{sanitising.sanitise_text(piece.text)}{marks[piece.kind][1]}" for piece in pieces]
    # Escaped by `rendering`.
    return mark_safe("".join(shown))  # noqa: S308


@register.filter
@lru_cache(maxsize=64)
def render_guideline(text: str) -> SafeString:
    """A queue's guideline as HTML; it stands on each page of the queue."""
    return mark_safe(sanitising.render_markdown(text))  # noqa: S308


def _item(segment: Segment, items_url: str, is_near: bool) -> str:
    here = ' aria-current="true"' if segment.is_current else ""
    # The tab key stops at the item and its neighbours only: the trace must not be fifty presses away.
    stop = "" if is_near else ' tabindex="-1"'
    words = f"item {segment.pk}: {segment.words}"
    return (
        f'<li><a class="{segment.status}" href="{items_url}{segment.pk}/"{here}{stop} title="{words}">'
        f'<span class="unseen">{words}</span></a></li>'
    )
