"""The rail, made in one go: it has up to fifty segments and stands on the page that must be quickest."""

from collections.abc import Sequence

from django import template
from django.utils.safestring import SafeString, mark_safe

from reviewapp.reviews.rail import Segment

register = template.Library()


@register.simple_tag
def rail(segments: Sequence[Segment], items_url: str) -> SafeString:
    """The rail's list items, each a link that says what has become of its item."""
    # Numbers, our own words and our own address: there is nothing in it to escape.
    return mark_safe("".join(_item(segment, items_url) for segment in segments))  # noqa: S308


def _item(segment: Segment, items_url: str) -> str:
    here = ' aria-current="true"' if segment.is_here else ""
    words = f"item {segment.pk}: {segment.words}"
    return (
        f'<li><a class="{segment.look}" href="{items_url}{segment.pk}/"{here} title="{words}">'
        f'<span class="unseen">{words}</span></a></li>'
    )
