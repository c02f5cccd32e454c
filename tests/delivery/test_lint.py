"""Checks of metadata before it is pushed: what is refused, and what is only warned about."""

import json
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.delivery.lint import lint, warn_high_cardinality
from reviewapp.lib import canonical_json
from tests.factories import TraceFactory


def refusals(metadata: dict[str, Any]) -> list[str]:
    return [finding.sentence for finding in lint(metadata) if finding.severity == "refusal"]


def warnings(metadata: dict[str, Any]) -> list[str]:
    return [finding.sentence for finding in lint(metadata) if finding.severity == "warning"]


@pytest.mark.parametrize("value", [1, 0.75, -3, True, None, "", "a=b", "ünï", ["a", "b"], 2**60])
def test_it_accepts_good_values(value: Any) -> None:
    assert lint({"judge.score": value}) == []


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({}, "The metadata is empty"),
        ({"": 1}, "A key is empty"),
        ({"k" * 201: 1}, "is longer than 200 characters"),
        ({"a\x00b": 1}, "NUL"),
        ({"\ud800": 1}, "lone surrogate"),
        ({"a": "b\x00"}, "“a”: A text contains a NUL"),
        ({"a": ["x", {"y": "\udfff"}]}, "“a”: A text contains half of a character"),
        ({"a": float("nan")}, "“a”: A number is infinite or NaN"),
        ({"a": json.loads("1e400")}, "“a”: A number is infinite or NaN"),
        ({"a": "x" * 65_536}, "65,544 bytes; the limit for one patch is 65,536"),
        ({"a": "ü" * 40_000}, "80,008 bytes"),
        ({f"k{n}": n for n in range(201)}, "has 201 keys; the limit for one patch is 200"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_it_refuses_metadata(metadata: dict[str, Any], reason: str) -> None:
    (sentence,) = refusals(metadata)

    assert reason in sentence
    sentence.encode()


def test_it_accepts_metadata_of_the_maximum_size() -> None:
    assert lint({"a": "x" * (65_536 - 8)}) == []


def test_it_warns_about_an_object() -> None:
    (sentence,) = warnings({"judge": {"score": 1}})

    assert sentence.startswith("“judge” is an object: the next push of this key replaces all of it")


@pytest.mark.parametrize("number", [1.0, -0.0, 1e2])
def test_it_warns_about_a_whole_number_with_a_decimal_point(number: float) -> None:
    (sentence,) = warnings({"score": number})

    assert "is pushed without it, as 1" in sentence
    assert "." not in canonical_json.dumps(number)


@pytest.mark.parametrize("number", [1e-7, 1e300])
def test_it_warns_about_an_exponent(number: float) -> None:
    (sentence,) = warnings({"score": number})

    assert "exponent" in sentence


@pytest.mark.parametrize(
    ("value", "starts"),
    [
        ([1.0, 2.0], ["“judge” contains a whole number with a decimal point"]),
        ([[1e-7]], ["“judge” contains a number with an exponent"]),
        ([{"score": 1}], ["“judge” contains an object"]),
        ({"score": {"best": 1.0}}, ["“judge” is an object", "“judge” contains a whole number with a decimal point"]),
        ([0.5, "1.0", True, None], []),
    ],
)
def test_it_warns_about_nested_values(value: Any, starts: list[str]) -> None:
    sentences = warnings({"judge": value})

    assert [sentence[: len(start)] for sentence, start in zip(sentences, starts, strict=True)] == starts


def test_it_warns_about_a_key_with_too_many_values(project: Project, other_project: Project) -> None:
    for number in range(101):
        TraceFactory.create(project=project, metadata=f'{{"ms":{number},"few":{number % 100}}}')

    (sentence,) = warn_high_cardinality(project, [{"ms": 7, "few": 1, "new": 1}, {"ms": 8}])
    assert sentence.startswith("“ms” has had more than 100 different values")
    assert warn_high_cardinality(other_project, [{"ms": 7}]) == []


def test_it_does_not_warn_about_long_texts(project: Project) -> None:
    for number in range(101):
        TraceFactory.create(project=project, metadata=f'{{"why":"{number}"}}')

    assert warn_high_cardinality(project, [{"why": "x" * 61}, {"why": None}, {"why": ["a"]}]) == []
