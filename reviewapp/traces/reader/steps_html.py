"""Steps as table rows in HTML: hundreds stand on one page, too many for a template's nodes."""

from reviewapp.traces.reader import lazy_links, turn_html
from reviewapp.traces.reader.steps import Step, Steps
from reviewapp.web.templatetags.web import dollars, format_duration, thousands

DEEPEST = 12
# What the rows of a page may show of inputs and outputs before they are loaded one by one, in characters.
AT_ONCE = 40_000


def rows(page: Steps, url: str) -> str:
    left, made, longest = AT_ONCE, [], page.longest
    for step in page.rows:
        size = len(step.input_preview) + len(step.output_preview)
        made.append(_row(step, url, is_longest=step is longest, is_here=size <= left))
        left -= size if size <= left else 0
    return "".join(made)


def _row(step: Step, url: str, *, is_longest: bool, is_here: bool) -> str:
    span = step.span
    look = [word for word, holds in _looks(step, is_longest) if holds]
    cells = (
        f'<td class="depth-{min(step.depth, DEEPEST)}">{_step(step, url, is_here=is_here)}</td>'
        f'<td class="second">{turn_html.visible(span.span_type)}</td>'
        f'<td class="num">{format_duration(span.duration)}</td>'
        f'<td class="num">{thousands(span.total_tokens) if span.total_tokens else ""}</td>'
        f'<td class="num">{turn_html.visible(dollars(span.total_cost))}</td>'
    )
    return f'<tr id="step-{span.pk}" class="{" ".join(look)}">{cells}<td class="waterfall">{_bar(step)}</td></tr>'


def _looks(step: Step, is_longest: bool) -> list[tuple[str, bool]]:
    return [("step", True), ("error failed", step.is_error), ("tool", step.span.span_type == "TOOL"),
            ("longest", is_longest)]  # fmt: skip


def _step(step: Step, url: str, *, is_here: bool) -> str:
    """The step's name, and behind it what it was given and what it returned."""
    span = step.span
    model = f' <span class="second">{turn_html.visible(span.model)}</span>' if span.model else ""
    broken = ' <b class="broken">error</b>' if step.is_error else ""
    name = f"{turn_html.visible(span.name)}{model}{broken}"
    if not step.input_preview and not step.output_preview:
        return name
    asked = f"tab=raw&amp;span={span.span_id}"
    if not is_here:
        return lazy_links.later(url, asked, name, "Open this step")
    texts = "".join(
        f'<p class="label">{words}</p>{turn_html.code(text)}'
        for words, text in (("input", step.input_preview), ("output", step.output_preview))
        if text
    )
    more = f'<p class="more"><a href="?{asked}">All of it, {step.omitted_chars:,} more characters</a></p>'
    return f"<details><summary>{name}</summary>{texts}{more if step.omitted_chars > 0 else ''}</details>"


def _bar(step: Step) -> str:
    offset, width = round(step.offset * 100), max(1, round(step.width * 100))
    words = f"starts at {offset} per cent, takes {round(step.width * 100)} per cent"
    return (
        f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{words}">'
        f'<rect x="{min(offset, 99)}" width="{width}" y="1" height="6"></rect></svg>'
    )
