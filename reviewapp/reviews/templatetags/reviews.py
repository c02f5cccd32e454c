"""Parts of the workbench rendered in Python, because it is the page that must be fastest."""

from collections.abc import Sequence
from functools import lru_cache

from django import template
from django.utils.safestring import SafeString, mark_safe

from reviewapp.lib.word_diff import Diff
from reviewapp.reviews.rail import Segment
from reviewapp.traces.reader import sanitising

register = template.Library()
NOT_COMPARED = (
    "These texts differ too much to be compared word by word. All that is between their common start and end is marked"
    " as changed."
)


@register.simple_tag
def render_rail(segments: Sequence[Segment], items_url: str) -> SafeString:
    """The rail's list items, each a link with its item's status."""
    current = next((number for number, segment in enumerate(segments) if segment.is_current), 0)
    items = (
        _render_segment(segment, items_url, is_neighbour=abs(number - current) < 2)
        for number, segment in enumerate(segments)
    )
    # Contains only numbers, fixed labels and our own URL: nothing to escape.
    return mark_safe("".join(items))  # noqa: S308


@register.filter
def render_diff(segments: Diff) -> SafeString:
    """A word diff with `<del>` and `<ins>`, and a sentence if it is not one of each word."""
    tags = {"same": ("", ""), "removed": ("<del>", "</del>"), "added": ("<ins>", "</ins>")}
    parts = [
        f"{tags[segment.kind][0]}{sanitising.sanitise_text(segment.text)}{tags[segment.kind][1]}"
        for segment in segments
    ]
    note = f'<p class="second">{NOT_COMPARED}</p>' if segments.is_cut else ""
    # `sanitise_text` has escaped it.
    return mark_safe("".join(parts) + note)  # noqa: S308


@register.filter
@lru_cache(maxsize=64)
def render_guideline(text: str) -> SafeString:
    """A queue's guideline as HTML; cached, since every page of the queue shows it."""
    return mark_safe(sanitising.render_markdown(text))  # noqa: S308


def _render_segment(segment: Segment, items_url: str, *, is_neighbour: bool) -> str:
    current = ' aria-current="true"' if segment.is_current else ""
    # Tab stops only at the item and its neighbours: otherwise the trace would be fifty key presses away.
    tabindex = "" if is_neighbour else ' tabindex="-1"'
    label = f"item {segment.pk}: {segment.label}"
    return (
        f'<li><a class="{segment.status}" href="{items_url}{segment.pk}/"{current}{tabindex} title="{label}">'
        f'<span class="unseen">{label}</span></a></li>'
    )
