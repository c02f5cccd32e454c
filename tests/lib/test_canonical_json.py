import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import canonical_json
from reviewapp.lib.canonical_json import InvalidJSONError

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_it_preserves_the_value(value: Any) -> None:
    assert canonical_json.loads(canonical_json.dumps(value)) == value


@given(VALUES)
def test_it_has_one_spelling(value: Any) -> None:
    text = canonical_json.dumps(value)

    assert canonical_json.dumps(canonical_json.loads(text)) == text


@given(st.dictionaries(TEXTS, VALUES, max_size=5), st.sampled_from([None, 2]))
def test_it_reads_members_of_an_object_unchanged(value: dict[str, Any], indent: int | None) -> None:
    members = canonical_json.raw_members(json.dumps(value, indent=indent))

    assert {key: json.loads(raw) for key, raw in members.items()} == value


def test_it_preserves_the_spelling_of_a_member() -> None:
    text = ' {"a" : 1.0, "b":"\\u00e9" , "c": [1, 2.50] }'

    assert canonical_json.raw_members(text) == {"a": "1.0", "b": '"\\u00e9"', "c": "[1, 2.50]"}


@pytest.mark.parametrize("number", [1, 1.0, Decimal("1.000"), Decimal("1E0")])
def test_it_writes_whole_numbers_as_integers(number: float | Decimal) -> None:
    assert canonical_json.dumps(number) == "1"


def test_it_writes_a_decimal_as_its_shortest_number() -> None:
    assert canonical_json.dumps(Decimal("0.3000")) == "0.3"


def test_it_distinguishes_true_from_one() -> None:
    assert canonical_json.dumps([True, 1, "1"]) == '[true,1,"1"]'


def test_it_sorts_keys_and_drops_white_space() -> None:
    assert canonical_json.dumps({"b": [1, 2], "a": "é"}) == '{"a":"é","b":[1,2]}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("-Infinity"), Decimal("1e400")])
def test_it_refuses_numbers_that_json_cannot_express(number: float | Decimal) -> None:
    with pytest.raises(InvalidJSONError):
        canonical_json.dumps(number)


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", {"\x00": 1}, {1: 1}, {"a": {1, 2}}, b"bytes"])
def test_it_refuses_values_that_are_not_json(value: Any) -> None:
    with pytest.raises(InvalidJSONError):
        canonical_json.dumps(value)


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', "NaN", "-Infinity", "9" * 401, "[" * 100_000, '{"a": }', "", b"\xff"],
    ids=["repeated key", "NaN", "infinity", "digits", "depth", "syntax", "empty", "not UTF-8"],
)
def test_it_refuses_text_that_is_not_strict_json(text: str | bytes) -> None:
    with pytest.raises(InvalidJSONError):
        canonical_json.loads(text)


def test_it_refuses_deep_nesting() -> None:
    nested: Any = 1
    for _ in range(canonical_json.MAX_DEPTH + 1):
        nested = [nested]

    with pytest.raises(InvalidJSONError, match="nested deeper"):
        canonical_json.dumps(nested)


@pytest.mark.parametrize("text", ["[1]", '"a"', "", "null", "{,}"])
def test_it_refuses_to_read_members_when_not_an_object(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json.raw_members(text)


CHANGED = [
    "-0.0",
    "-0",
    "-0e9",
    "0.12345678901234567890",
    "1e-999",
    "1e-99999999999999999999",
    "9" * 30,
    "1" + "0" * 399,
]


@pytest.mark.parametrize("number", CHANGED)
def test_it_refuses_input_that_laminar_would_change(number: str) -> None:
    with pytest.raises(canonical_json.ChangedNumberError, match=r"Laminar would change the number .* as a text\.$"):
        canonical_json.parse_input(f'{{"a": [{number}]}}')


@pytest.mark.parametrize("number", ["1.10", "1.0", "0.1", "1e2", "-1", "18446744073709551615", "1" + "0" * 22, "1e300"])
def test_it_accepts_input_of_the_same_value(number: str) -> None:
    assert canonical_json.parse_input(number) == canonical_json.parse(number)
