"""JSON texts as Laminar stores metadata."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.tracestore import jsonb

_TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
_LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | _TEXTS | st.floats(allow_nan=False)
METADATA = st.dictionaries(
    _TEXTS, st.recursive(_LEAVES, lambda item: st.lists(item) | st.dictionaries(_TEXTS, item), max_leaves=8), max_size=4
)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("1.0", "1.0"),
        ("0.10", "0.1"),
        ("1e2", "100.0"),
        ("1.5e3", "1500.0"),
        ("1E+20", "1e20"),
        ("1e25", "1e25"),
        ("-1.20", "-1.2"),
        ("3.14159265358979323846", "3.141592653589793"),
        ("123456.7890", "123456.789"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "10000000000000000"),
        ("-1.2345e17", "-123450000000000000"),
        ("1.8446744073709552e19", "1.8446744073709552e19"),
        ("-1e19", "-1e19"),
        ("1e-5", "0.00001"),
        ("1.50e-7", "1.5e-7"),
        ("-2e-9", "-2e-9"),
        ("0e-9", "0.0"),
        ("-0", "0.0"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("18446744073709551615", "18446744073709551615"),
        ("123456789012345678901234567890", "1.2345678901234568e29"),
        ('{"b":1,"a":{"dd":1,"c":2},"aa":3}', '{"a":{"c":2,"dd":1},"b":1,"aa":3}'),
        ('{"é":1,"zz":2,"a":3}', '{"a":3,"zz":2,"é":1}'),
        (r'"\u00e9\n\u0007\/"', r'"é\n\u0007/"'),
        ("[ 1 , [ ] , { } ]", "[1,[],{}]"),
        ('{"a":1,"a":2}', '{"a":2}'),
    ],
)
def test_it_formats_json_as_laminar_does(sent: str, stored: str) -> None:
    assert jsonb.dumps(jsonb.loads(sent)) == stored
    assert jsonb.dumps(jsonb.loads(stored)) == stored


@given(stored=METADATA, patch=METADATA)
def test_it_merges_texts_as_it_would_values(stored: dict[str, Any], patch: dict[str, Any]) -> None:
    assert jsonb.merge(jsonb.dumps(stored), jsonb.dumps(patch)) == jsonb.dumps(stored | patch)


def test_it_merges_without_reading_numbers() -> None:
    grown = '{"numbers":[' + ",".join(["9" * 5000] * 10) + "]}"
    assert jsonb.merge(grown, '{"a":1}') == '{"a":1,' + grown[1:]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_it_writes_numbers_that_are_read_as_the_same(number: float) -> None:
    assert float(jsonb.loads(jsonb.dumps(number))) == number


@pytest.mark.parametrize("sent", ["NaN", "-Infinity", "1e400", "9" * 5000, '"\\ud800"', "[" * 9000, "01", ""])
def test_it_refuses_invalid_json(sent: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsonb.loads(sent)


@pytest.mark.parametrize("value", ["a\x00", {"\x00": 1}, [["\x00"]]])
def test_it_refuses_nul(value: Any) -> None:
    with pytest.raises(jsonb.UnstorableError):
        jsonb.dumps(value)


def test_it_formats_floats_with_their_shortest_digits() -> None:
    values = [1.0, 0.1, 1e20, 1e-7, float("nan"), Decimal("1.10")]
    assert jsonb.dumps(values) == "[1.0,0.1,1e20,1e-7,null,1.1]"


@pytest.mark.parametrize(
    ("stored", "patch", "merged"),
    [
        ("", '{"a":1}', '{"a":1}'),
        ('{"a":1}', '{"a":null}', '{"a":null}'),
        ('{"n":{"x":1}}', '{"n":{"y":2}}', '{"n":{"y":2}}'),
        ('{"f":1.0,"g":0.1}', '{"bb":1}', '{"f":1.0,"g":0.1,"bb":1}'),
    ],
)
def test_it_merges_top_level_keys(stored: str, patch: str, merged: str) -> None:
    assert jsonb.merge(stored, patch) == merged
