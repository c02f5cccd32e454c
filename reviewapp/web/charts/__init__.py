"""Charts as SVG, made on the server: pure functions from figures to a `Chart`.

`templates/charts/_chart.html` renders a Chart with its table beside it. No script, no inline style; the colours are in
`static/css/charts.css`. Every function is total: NaN and infinities are drawn as a dash and said in the table.
"""

from reviewapp.web.charts.bars import Bar, Interval, draw_bars, draw_intervals, draw_stacked_bars
from reviewapp.web.charts.chart import Chart, Column
from reviewapp.web.charts.grids import draw_matrix
from reviewapp.web.charts.series import draw_histogram, draw_sparkline

__all__ = [
    "Bar",
    "Chart",
    "Column",
    "Interval",
    "draw_bars",
    "draw_histogram",
    "draw_intervals",
    "draw_matrix",
    "draw_sparkline",
    "draw_stacked_bars",
]
