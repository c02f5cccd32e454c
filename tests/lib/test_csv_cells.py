import csv
from io import StringIO

import hypothesis.strategies as st
import pytest
from hypothesis import given

from reviewapp.lib import csv_cells

FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@cmd", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠cmd", "﹦1",
    "a\n=1+1", "a\r=1+1", "a\u2028=1", '"=1+1"', "`=1", " =1+1", "\xa0=1", "\u200b=1", '\n "\t@cmd', " -5",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_it_prefixes_what_a_spreadsheet_might_run(text: str) -> None:
    assert csv_cells.escape_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "-5", "+1.5", "-1e-9", "a=b", "a - b", '{"a":"-5"}', "5 @ home", 'say "no"', "１"]
)
def test_it_leaves_other_texts_and_numbers_unchanged(text: str) -> None:
    assert csv_cells.escape_formula(text) == text


@given(st.one_of(st.sampled_from(FORMULAS), st.text("'=+-@ \"\na1"), st.text()))
def test_it_tells_a_prefix_from_an_apostrophe_that_was_there(text: str) -> None:
    assert csv_cells.unescape_formula(csv_cells.escape_formula(text)) == text


@pytest.mark.parametrize("text", ["'", "''", "'=1", "=1", "'5"])
def test_it_survives_a_file(text: str) -> None:
    line = csv_cells.format_line([csv_cells.escape_formula(text)])
    ((cell,),) = csv.reader(StringIO(line, newline=""))

    assert csv_cells.unescape_formula(cell) == text


@pytest.mark.parametrize("size", [20_000, 200_000])
def test_it_reads_a_cell_of_blank_lines_once(size: int) -> None:
    assert csv_cells.escape_formula(" \n" * size + "a") == " \n" * size + "a"
