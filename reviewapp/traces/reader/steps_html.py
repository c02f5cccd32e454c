"""Steps as HTML table rows: a page has hundreds, too many for a template's nodes."""

from reviewapp.traces.reader import lazy_links, turn_html
from reviewapp.traces.reader.sanitising import sanitise_text
from reviewapp.traces.reader.steps import Step, StepPage
from reviewapp.web.templatetags.web import dollars, format_duration, thousands

# Deeper rows are indented no further.
DEPTH_LIMIT = 12
# Characters of inputs and outputs that a page includes before the rest is loaded row by row.
PREVIEW_CHARS_LIMIT = 40_000


def render_rows(page: StepPage, url: str) -> str:
    remaining, rows = PREVIEW_CHARS_LIMIT, []
    for step in page.rows:
        size = len(step.input_preview) + len(step.output_preview)
        is_included = size <= remaining
        rows.append(_render_row(step, url, is_longest=step is page.longest, is_included=is_included))
        remaining -= size if is_included else 0
    return "".join(rows)


def _render_row(step: Step, url: str, *, is_longest: bool, is_included: bool) -> str:
    span = step.span
    cells = (
        f'<td class="depth-{min(step.depth, DEPTH_LIMIT)}">{_render_step(step, url, is_included=is_included)}</td>'
        f'<td class="second">{sanitise_text(span.span_type)}</td>'
        f'<td class="num">{format_duration(span.duration)}</td>'
        f'<td class="num">{thousands(span.total_tokens) if span.total_tokens else ""}</td>'
        f'<td class="num">{sanitise_text(dollars(span.total_cost))}</td>'
    )
    css_class = " ".join(_css_classes(step, is_longest))
    return f'<tr id="step-{span.pk}" class="{css_class}">{cells}<td class="waterfall">{_render_bar(step)}</td></tr>'


def _css_classes(step: Step, is_longest: bool) -> list[str]:
    classes = (
        ("step", True),
        ("error failed", step.is_error),
        ("tool", step.span.span_type == "TOOL"),
        ("longest", is_longest),
    )
    return [name for name, applies in classes if applies]


def _render_step(step: Step, url: str, *, is_included: bool) -> str:
    """Render the step's name, with its input and output folded behind it."""
    span = step.span
    model = f' <span class="second">{sanitise_text(span.model)}</span>' if span.model else ""
    badge = ' <b class="broken">error</b>' if step.is_error else ""
    name = f"{sanitise_text(span.name)}{model}{badge}"
    if not step.input_preview and not step.output_preview:
        return name
    query_string = f"tab=raw&amp;span={span.span_id}"
    if not is_included:
        return lazy_links.render_lazy_details(url, query_string, name, "Open this step")
    texts = "".join(
        f'<p class="label">{label}</p>{turn_html.render_code(text)}'
        for label, text in (("input", step.input_preview), ("output", step.output_preview))
        if text
    )
    label = f"Show all ({step.omitted_chars:,} more characters)"
    more_link = f'<p class="more"><a href="?{query_string}">{label}</a></p>' if step.omitted_chars > 0 else ""
    return f"<details><summary>{name}</summary>{texts}{more_link}</details>"


def _render_bar(step: Step) -> str:
    offset, width = round(step.offset * 100), max(1, round(step.width * 100))
    label = f"starts at {offset}%, takes {round(step.width * 100)}% of the trace"
    return (
        f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<rect x="{min(offset, 99)}" width="{width}" y="1" height="6"></rect></svg>'
    )
