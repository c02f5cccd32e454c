"""A matrix: a table whose cells are tinted by their value."""

from collections.abc import Sequence

from reviewapp.lib.shortening import shorten
from reviewapp.web.charts.chart import (
    LABEL_WIDTH,
    WIDTH,
    Chart,
    Column,
    Rect,
    Text,
    cut_label,
    format_coordinate,
    format_value,
    make_rect,
    make_scale,
    to_finite,
)

CELL_HEIGHT, HEAD_HEIGHT, MAX_CELL_WIDTH = 30, 24, 90
# Tints, from the lowest to the highest value.
LEVELS = 6


def draw_matrix(
    key: str,
    title: str,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    as_percent: bool = False,
) -> Chart:
    """A cell for each row and column: the number, tinted from t0 (lowest) to t5 (highest). Missing ones are empty."""
    cell_width = min((WIDTH - LABEL_WIDTH) / max(len(column_labels), 1), MAX_CELL_WIDTH)
    scale = make_scale([value for row in values for value in row], 0.0, LEVELS - 1, has_zero=False)
    letters = max(int(cell_width // 7), 1)
    rects: list[Rect] = []
    texts = [
        Text(*_place(LABEL_WIDTH + (column + 0.5) * cell_width, 16), shorten(label, letters), anchor="middle")
        for column, label in enumerate(column_labels)
    ]
    for row, (label, cells) in enumerate(zip(row_labels, values, strict=False)):
        y = HEAD_HEIGHT + row * CELL_HEIGHT
        texts.append(Text(*_place(LABEL_WIDTH - 8, y + 20), cut_label(label), anchor="end"))
        for column, value in enumerate(cells[: len(column_labels)]):
            number, x = to_finite(value), LABEL_WIDTH + column * cell_width
            level = "none" if number is None else str(round(scale.place(number)))
            text = format_value(value, as_percent=as_percent)
            hover = f"{cut_label(label)}, {cut_label(column_labels[column])}: {text}"
            width = max(cell_width - 2, cell_width / 2)
            rects.append(make_rect(x + 1, y + 1, width, CELL_HEIGHT - 2, f"cell t{level}", hover))
            if number is not None:
                texts.append(
                    Text(*_place(x + cell_width / 2, y + 20), shorten(text, letters), f"on-t{level}", "middle")
                )
    rows = [
        [label, *(format_value(value, as_percent=as_percent) for value in cells)]
        for label, cells in zip(row_labels, values, strict=False)
    ]
    columns = [Column("Name"), *(Column(label, is_number=True) for label in column_labels)]
    description = f"{len(row_labels)} rows and {len(column_labels)} columns."
    height = format_coordinate(HEAD_HEIGHT + max(len(row_labels), 1) * CELL_HEIGHT)
    return Chart(key, title, description, height, columns, rows, rects, (), texts)


def _place(x: float, y: float) -> tuple[str, str]:
    return format_coordinate(x), format_coordinate(y)
