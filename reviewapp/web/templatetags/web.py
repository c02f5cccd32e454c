"""Filters that every template can use without loading them."""

import datetime as dt

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reviewapp.lib import clock, invisible_chars, local_time
from reviewapp.lib.numbers import format_decimal

register = template.Library()


@register.filter
def ago(moment: dt.datetime | None) -> str:
    """Time since `moment`: `8 s`, `5 min`, `3 h`, `2 d`. Empty for None."""
    if moment is None:
        return ""
    return format_duration((clock.now() - moment).total_seconds())


@register.filter
def format_duration(seconds: float | None) -> str:
    """Format seconds: `640 ms`, `6.4 s`, `5 min`, `3 h`, `2 d`. Empty for None."""
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
def due(moment: dt.datetime | None) -> str:
    """Say when something is due by days in the reader's zone: `due today`, `due in 2 days`, `3 days late`."""
    if moment is None:
        return ""
    now = clock.now()
    days = (local_time.to_local(moment).date() - local_time.to_local(now).date()).days
    unit = "day" if abs(days) == 1 else "days"
    if moment < now:
        return f"{-days} {unit} late" if days else "late since today"
    return f"due in {days} {unit}" if days else "due today"


@register.filter
def thousands(number: int | None) -> str:
    """Format `3912` as `3,912`."""
    return "" if number is None else f"{number:,}"


register.filter("plain_number", format_decimal)


@register.filter
def percent(share: float | None) -> str:
    """A share from 0 to 1 in per cent with one decimal: `12.5%`; empty for None."""
    return "" if share is None else f"{100 * share:.1f}%"


@register.filter
def dollars(cost: float | None) -> str:
    """Format a cost with its significant digits: `$0.021`, `$1.20`. Empty for zero and None."""
    if not cost:
        return ""
    return f"${cost:.2f}" if cost >= 1 else f"${cost:.2g}" if cost >= 0.0001 else "<$0.0001"


@register.filter
def timestamp(value: dt.datetime | None) -> SafeString | str:
    """Format a time briefly in the reader's zone, with the exact time in UTC in the title. Empty for None."""
    if value is None:
        return ""
    value, shown = value.astimezone(dt.UTC), local_time.to_local(value)
    format_string = "%H:%M:%S" if shown.date() == local_time.to_local(clock.now()).date() else "%-d %b %H:%M"
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        value.isoformat(), value.strftime("%Y-%m-%d %H:%M:%S"), shown.strftime(format_string),
    )  # fmt: skip


@register.filter
def reveal(text: object) -> str:
    """Show invisible and direction-changing characters as `[U+202E]`: in titles and attributes, where no markup is."""
    return invisible_chars.reveal(str(text))


@register.filter
def short_id(value: object) -> str:
    """Shorten a trace id to `7c1e…9f04`."""
    text = str(value)
    return f"{text[:4]}…{text[-4:]}"
