"""Steps as HTML table rows: a page has hundreds, too many for a template's nodes."""

from dataclasses import dataclass

from reviewapp.traces.models import Span
from reviewapp.traces.reader import turn_html
from reviewapp.traces.reader.mark_buttons import MarkButtons
from reviewapp.traces.reader.sanitising import sanitise_text
from reviewapp.traces.reader.span_labels import span_label
from reviewapp.traces.reader.step_detail_html import render_detail
from reviewapp.traces.reader.steps import Step, StepPage
from reviewapp.traces.transcript.span_tree import MODEL_TYPES
from reviewapp.web.templatetags.web import dollars, format_duration, thousands

# Deeper rows are indented no further.
DEPTH_LIMIT = 12
# Characters of inputs and outputs that a page includes before the rest is loaded row by row.
PREVIEW_CHARS_LIMIT = 40_000
NO_BUTTONS = MarkButtons()


def render_rows(page: StepPage, url: str, selected: Span | None = None, mark_buttons: MarkButtons = NO_BUTTONS) -> str:
    """Render a page's rows, each followed by one with its details; the selected step's details are open."""
    remaining, rows = PREVIEW_CHARS_LIMIT, []
    depths = [*(step.depth for step in page.rows[1:]), 0]
    for step, next_depth in zip(page.rows, depths, strict=False):
        size = len(step.input_preview) + len(step.output_preview)
        # A cut conversation cannot be read: it is loaded whole.
        is_included = size <= remaining and not (step.omitted_chars and step.span.span_type in MODEL_TYPES)
        remaining -= size if is_included else 0
        opened = selected if selected is not None and selected.pk == step.span.pk else None
        row = StepRow(step, url, page.start, is_included, next_depth > step.depth, mark_buttons, opened)
        rows.append(_render_row(row, is_longest=step is page.longest))
    return "".join(rows)


@dataclass(frozen=True, slots=True)
class StepRow:
    """A row being rendered: `is_included` if its details are on the page, `opened` is its whole span if it is open."""

    step: Step
    url: str
    page_start: int
    is_included: bool
    has_children: bool
    mark_buttons: MarkButtons
    opened: Span | None = None

    @property
    def has_detail(self) -> bool:
        return bool(self.step.input_preview or self.step.output_preview)

    @property
    def query_string(self) -> str:
        """The query, escaped for HTML, that opens the step's details."""
        return f"tab=steps&amp;from={self.page_start}&amp;span={self.step.span.span_id}"


def _render_row(row: StepRow, *, is_longest: bool) -> str:
    step, span = row.step, row.step.span
    label = span_label(span, step.output_preview, is_cut=step.omitted_chars > 0)
    cells = (
        f'<td class="depth-{min(step.depth, DEPTH_LIMIT)}">{_render_name(row)}'
        f"{row.mark_buttons.render_step(span.span_id, span.name)}</td>"
        f'<td class="second">{sanitise_text(label)}</td>'
        f'<td class="num">{format_duration(span.duration)}</td>'
        f'<td class="num">{thousands(span.total_tokens) if span.total_tokens else ""}</td>'
        f'<td class="num">{sanitise_text(dollars(span.total_cost))}</td>'
    )
    css_class = " ".join(_css_classes(step, is_longest))
    opening_tag = f'<tr id="step-{span.pk}" class="{css_class}" data-depth="{step.depth}">'
    return f'{opening_tag}{cells}<td class="waterfall">{_render_bar(step)}</td></tr>{_render_detail_row(row)}'


def _css_classes(step: Step, is_longest: bool) -> list[str]:
    classes = (
        ("step", True),
        ("error failed", step.is_error),
        ("tool", step.span.span_type == "TOOL"),
        ("longest", is_longest),
    )
    return [name for name, applies in classes if applies]


def _render_name(row: StepRow) -> str:
    """Render the step's name, which opens the details in the row below, and a button that folds the steps below it."""
    span = row.step.span
    model = f' <span class="second">{sanitise_text(span.model)}</span>' if span.model else ""
    badge = ' <b class="broken">error</b>' if row.step.is_error else ""
    name = f"{sanitise_text(span.name)}{model}{badge}"
    twig = '<button type="button" class="twig" aria-expanded="true" aria-label="Steps below"></button>'
    twig = twig if row.has_children else ""
    if not row.has_detail:
        return f"{twig}{name}"
    if row.opened is not None or row.is_included:
        return f"{twig}<details{' open' if row.opened else ''}><summary>{name}</summary></details>"
    load = f'hx-get="{row.url}?{row.query_string}&amp;piece=1" hx-trigger="toggle once" hx-target="#detail-{span.pk}"'
    return f"{twig}<details {load}><summary>{name}</summary></details>"


def _render_detail_row(row: StepRow) -> str:
    if not row.has_detail:
        return ""
    step, link = row.step, f'<a href="?{row.query_string}#step-{row.step.span.pk}"'
    if row.opened is not None:
        content = render_detail(row.opened, row.opened.input, row.opened.output, row.opened.attributes)
    elif not row.is_included:
        content = f"{link}>Open this step</a>"
    elif step.omitted_chars:
        load = f'hx-get="{row.url}?{row.query_string}&amp;piece=1" hx-target="#detail-{step.span.pk}"'
        label = f"Show all ({step.omitted_chars:,} more characters)"
        texts = "".join(
            f'<section class="side"><h3>{title}</h3>{turn_html.render_code(text)}</section>'
            for title, text in (("Input", step.input_preview), ("Output", step.output_preview))
            if text
        )
        content = f'{texts}<p class="more">{link} {load}>{label}</a></p>'
    else:
        content = render_detail(step.span, step.input_preview, step.output_preview)
    later = "" if row.opened or row.is_included else ' class="later"'
    return f'<tr class="detail"><td colspan="6"><div id="detail-{step.span.pk}"{later}>{content}</div></td></tr>'


def _render_bar(step: Step) -> str:
    offset, width = round(step.offset * 100), max(1, round(step.width * 100))
    label = f"starts at {offset}%, takes {round(step.width * 100)}% of the trace"
    return (
        f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<rect x="{min(offset, 99)}" width="{width}" y="1" height="6"></rect></svg>'
    )
