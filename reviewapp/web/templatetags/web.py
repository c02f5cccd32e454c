"""What every template may use without loading it."""

import datetime as dt
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reviewapp.lib import canonical_json, clock

register = template.Library()


@register.filter
def ago(moment: dt.datetime | None) -> str:
    """How long since: `8 s`, `5 min`, `3 h`, `2 d`; nothing for no time."""
    if moment is None:
        return ""
    return format_duration((clock.now() - moment).total_seconds())


@register.filter
def format_duration(seconds: float | None) -> str:
    """Seconds in one short figure: `640 ms`, `6.4 s`, `5 min`, `3 h`, `2 d`."""
    if seconds is None:
        return ""
    seconds = max(0.0, float(seconds))
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


@register.filter
def thousands(number: int | None) -> str:
    """`3912` as `3,912`."""
    return "" if number is None else f"{number:,}"


@register.filter
def plain_number(number: Decimal) -> str:
    """A decimal in its one spelling: `1`, `0.5`."""
    return str(canonical_json.normalize(number))


@register.filter
def dollars(cost: float | None) -> str:
    """A cost with as many digits as say something: `$0.021`, `$1.20`; nothing for none."""
    if not cost:
        return ""
    return f"${cost:.2f}" if cost >= 1 else f"${cost:.2g}" if cost >= 0.0001 else "<$0.0001"


@register.filter
def timestamp(value: dt.datetime | None) -> SafeString | str:
    """A time as the reader's eye wants it, with the exact one in the title and for machines."""
    if value is None:
        return ""
    value = value.astimezone(dt.UTC)
    shape = "%H:%M:%S" if value.date() == clock.now().date() else "%-d %b %H:%M"
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        value.isoformat(), value.strftime("%Y-%m-%d %H:%M:%S"), value.strftime(shape),
    )  # fmt: skip


@register.filter
def short_id(value: object) -> str:
    """`7c1e…9f04` for a trace id."""
    text = str(value)
    return f"{text[:4]}…{text[-4:]}"
