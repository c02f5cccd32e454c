"""The part of JSON Schema that our API uses: whether a schema admits a value, and values that it may admit.

An unknown keyword is an error, so that no limit is published that these tests do not know.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]

TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    # JSON Schema counts 1.0 as an integer.
    "integer": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
NOTES = {"title", "description", "format", "default"}
# Texts of every kind, half surrogate pairs and NUL among them.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**7), 10**7) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def admits(schema: Schema, value: Any, components: Schema | None = None) -> bool:
    """Whether the schema admits the value. Raises AssertionError for a keyword that is not known here."""
    if "$ref" in schema:
        assert components is not None
        return admits(components[schema["$ref"].rpartition("/")[2]], value, components)
    unknown = schema.keys() - NOTES - CHECKS.keys()
    assert not unknown, unknown
    checked = [(keyword, argument) for keyword, argument in schema.items() if keyword in CHECKS]
    return all(CHECKS[keyword](argument, value, schema, components) for keyword, argument in checked)


def _count(types: type, compare: Callable[[Any, Any], bool], measure: Callable[[Any], Any]) -> Any:
    """A check of a limit, which holds for values of other types."""

    def check(limit: Any, value: Any, schema: Schema, components: Any) -> bool:
        return not isinstance(value, types) or isinstance(value, bool) or compare(measure(value), limit)

    return check


def _at_least(measured: Any, limit: Any) -> bool:
    return bool(measured >= limit)


def _at_most(measured: Any, limit: Any) -> bool:
    return bool(measured <= limit)


def _type(types: Any, value: Any, schema: Schema, components: Any) -> bool:
    return any(TYPES[name](value) for name in (types if isinstance(types, list) else [types]))


def _properties(properties: Schema, value: Any, schema: Schema, components: Any) -> bool:
    return not isinstance(value, dict) or all(
        admits(properties[name], item, components) for name, item in value.items() if name in properties
    )


def _additional(allowed: bool, value: Any, schema: Schema, components: Any) -> bool:
    return allowed or not isinstance(value, dict) or value.keys() <= schema["properties"].keys()


NUMBER: Any = (int, float)
CHECKS: dict[str, Callable[[Any, Any, Schema, Any], bool]] = {
    "type": _type,
    "enum": lambda choices, value, *_: value in choices,
    "pattern": lambda pattern, value, *_: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minLength": _count(str, _at_least, len),
    "maxLength": _count(str, _at_most, len),
    "minItems": _count(list, _at_least, len),
    "maxItems": _count(list, _at_most, len),
    "minProperties": _count(dict, _at_least, len),
    "maxProperties": _count(dict, _at_most, len),
    "minimum": _count(NUMBER, _at_least, lambda number: number),
    "maximum": _count(NUMBER, _at_most, lambda number: number),
    "required": lambda names, value, *_: not isinstance(value, dict) or set(names) <= value.keys(),
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": lambda names, value, _, components: (
        not isinstance(value, dict) or all(admits(names, key, components) for key in value)
    ),
    "items": lambda items, value, _, components: (
        not isinstance(value, list) or all(admits(items, item, components) for item in value)
    ),
    "oneOf": lambda choices, value, _, components: (
        sum(admits(choice, value, components) for choice in choices) == 1
    ),
    "anyOf": lambda choices, value, _, components: any(admits(choice, value, components) for choice in choices),
}  # fmt: skip


def values_of(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that the schema admits, small ones: its upper limits are tried one by one in a test of their own."""
    if "oneOf" in schema:
        return st.one_of([values_of(choice) for choice in schema["oneOf"]])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_VALUES[name](schema) for name in types])


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        pattern: str = schema["pattern"]
        return st.from_regex(pattern)
    size = min(schema["maxLength"], 8)
    return st.text(st.characters(exclude_categories=()), min_size=schema.get("minLength", 0), max_size=size)


def _objects(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        names = _strings(schema["propertyNames"])
        return st.dictionaries(names, ANYTHING, min_size=schema["minProperties"], max_size=3)
    fields = {name: values_of(field) for name, field in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=fields)


_VALUES: dict[str, Callable[[Schema], st.SearchStrategy[Any]]] = {
    "null": lambda schema: st.none(),
    "boolean": lambda schema: st.booleans(),
    "integer": lambda schema: st.integers(schema["minimum"], schema["maximum"]),
    "string": _strings,
    "array": lambda schema: st.lists(values_of(schema["items"]), min_size=schema.get("minItems", 0), max_size=3),
    "object": _objects,
}


@st.composite
def mutations_of(draw: st.DrawFn, schema: Schema) -> Any:
    """A value of the schema with one part replaced, removed or added, which the schema may or may not admit."""
    return _mutate(draw, draw(values_of(schema)))


def _mutate(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: _mutate(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], _mutate(draw, value[index]), *value[index + 1 :]]
    if isinstance(value, dict) and draw(st.booleans()):
        removed = draw(st.sampled_from([*sorted(value), None]))
        added = {} if draw(st.booleans()) else {draw(TEXTS): draw(ANYTHING)}
        return {key: item for key, item in value.items() if key != removed} | added
    return draw(ANYTHING)
