"""Numbers keep their spelling; what would lose something is refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import exact_json

SPELLINGS = ["1.10", "1e999", "-1E+05", "-0", "-0.0", "0.1", "1.0", "9" * 30, "9" * 5_000, "1e99999999999999999999"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_keeps_the_spelling_of_a_number(spelling: str) -> None:
    text = f'{{"a":[{spelling},"x",null,true]}}'
    assert exact_json.dumps(exact_json.loads(text)) == text


@given(VALUES)
def test_it_writes_what_the_standard_library_writes(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert exact_json.dumps(exact_json.loads(text)) == text
    assert exact_json.dumps([exact_json.loads(text), Decimal("1.10")]) == f"[{text},1.10]"


@pytest.mark.parametrize("text", ["[NaN]", "[-Infinity]", '{"a":1,"a":2}', "[1", "[01]"])
def test_it_refuses_what_json_does_not_define(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        exact_json.loads(text)


def test_it_keeps_the_constants_that_python_programs_write() -> None:
    assert exact_json.dumps(exact_json.loads("[NaN,-Infinity]", has_constants=True)) == "[NaN,-Infinity]"


@pytest.mark.parametrize(("text", "is_json"), [("9" * 5_000, True), ('{"a":1,"a":NaN}', True), ("[1", False)])
def test_it_tells_json_from_text(text: str, is_json: bool) -> None:
    assert exact_json.is_json(text) is is_json
