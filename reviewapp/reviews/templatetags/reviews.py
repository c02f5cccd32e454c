"""Parts of the workbench rendered in Python, because it is the page that must be fastest."""

from functools import lru_cache

from django import template
from django.utils.safestring import SafeString, mark_safe

from reviewapp.lib.word_diff import Diff
from reviewapp.reviews.rail import Rail, Segment
from reviewapp.traces.reader import sanitising

register = template.Library()
MAP_HEIGHT = 8
NOT_COMPARED = (
    "These texts differ too much to be compared word by word. All that is between their common start and end is marked"
    " as changed."
)


@register.simple_tag
def render_rail(rail: Rail, items_url: str) -> SafeString:
    """The rail's list items, each a link with its item's position and status."""
    items = (_render_segment(number, segment, items_url) for number, segment in rail.neighbours)
    # Contains only numbers, fixed labels and our own URL: nothing to escape.
    return mark_safe("".join(items))  # noqa: S308


@register.simple_tag
def render_map(rail: Rail) -> SafeString:
    """A drawing of the whole queue in true proportion: a path for each status, and the current item on top."""
    width = len(rail.columns)
    paths: dict[str, list[str]] = {}
    for column, counts in enumerate(rail.columns):
        top, size = 0.0, counts.total()
        for status, count in sorted(counts.items()):
            share = round(MAP_HEIGHT * count / size, 1)
            paths.setdefault(status, []).append(f"M{column} {round(top, 1)}h1v{share}h-1z")
            top += share
    drawn = "".join(f'<path class="{status}" d="{"".join(parts)}"/>' for status, parts in sorted(paths.items()))
    mark_width = max(width / rail.total, width / 240)
    mark_x = width * (rail.position - 1) / rail.total
    mark = f'<rect class="current" x="{mark_x:.2f}" width="{mark_width:.2f}" height="{MAP_HEIGHT}"/>'
    # Contains only numbers and fixed labels: nothing to escape.
    return mark_safe(  # noqa: S308
        f'<svg class="map" viewBox="0 0 {width} {MAP_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{drawn}{mark}</svg>"
    )


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


def _render_segment(number: int, segment: Segment, items_url: str) -> str:
    current = ' aria-current="true"' if segment.is_current else ""
    label = f"item {number}: {segment.label}"
    # No tab stop: the links before and after the position go to the neighbours, and the board lists all items.
    return (
        f'<li><a class="{segment.status}" href="{items_url}{segment.pk}/"{current} tabindex="-1" title="{label}">'
        f'<span class="unseen">{label}</span></a></li>'
    )
