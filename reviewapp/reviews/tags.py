"""The rail, made in one go: it has up to fifty segments and stands on the page that must be quickest."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from reviewapp.reviews.rail import Segment

register = template.Library()
_HERE = mark_safe(' aria-current="true"')


@register.simple_tag
def rail(segments: Sequence[Segment], items_url: str) -> SafeString:
    """The rail's list items, each a link that says what has become of its item."""
    return format_html_join(
        "",
        '<li><a class="{}" href="{}{}/"{} title="{}"><span class="unseen">item {}: {}</span></a></li>',
        [
            (
                segment.look,
                items_url,
                segment.pk,
                _HERE if segment.is_here else "",
                segment.words,
                segment.pk,
                segment.words,
            )
            for segment in segments
        ],
    )
