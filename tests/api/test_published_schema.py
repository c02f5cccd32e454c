"""The published request schemas and the parsers agree, in both directions and at each limit."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.urls import get_resolver
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reviewapp.api.endpoints import api
from reviewapp.api.items import ItemsInput, parse_items
from reviewapp.api.patches import PatchesInput, parse_patches
from reviewapp.api.queues import parse_changes, parse_new_queue
from reviewapp.api.request_handling import RequestRejected
from reviewapp.lib import canonical_json
from reviewapp.lib.local_time import parse_due_time
from tests.api.http_calls import ITEMS_URL, post
from tests.api.json_schema import Schema, admits, mutations_of, values_of

# Loads the URL map, which the description of the API is made from.
assert get_resolver().url_patterns
PUBLISHED = json.loads(json.dumps(api.get_openapi_schema()))
COMPONENTS = PUBLISHED["components"]["schemas"]
OPERATIONS = {
    f"{method} {path}": operation
    for path, operations in PUBLISHED["paths"].items()
    for method, operation in operations.items()
}
TRACE_ID = "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04"
# The bodies are small as they are: shrinking one would take longer than reading it.
MANY = settings(max_examples=100, phases=[Phase.generate])


class Body(NamedTuple):
    """A request body that is published, and the parser that validates it."""

    schema: Schema
    parse: Callable[[Any], ItemsInput | PatchesInput | dict[str, Any]]

    def accepts(self, body: object) -> bool:
        """Whether the parser accepts the body, sent as JSON, with each element of its list."""
        try:
            return not getattr(self.parse(canonical_json.parse(json.dumps(body))), "refused", ())
        except (RequestRejected, canonical_json.InvalidJSONError):
            return False


def published_body(operation: str) -> Schema:
    schema: Schema = OPERATIONS[operation]["requestBody"]["content"]["application/json"]["schema"]
    return schema


ITEMS = Body(published_body("post /api/v1/queues/{queue}/items"), parse_items)
PATCHES = Body(published_body("post /api/v1/patches"), parse_patches)
NEW_QUEUE = Body(published_body("post /api/v1/queues"), parse_new_queue)
QUEUE_CHANGES = Body(published_body("patch /api/v1/queues/{queue}"), parse_changes)
BODIES = [ITEMS, PATCHES, NEW_QUEUE, QUEUE_CHANGES]
for_each_body = pytest.mark.parametrize("body", BODIES, ids=["items", "patches", "new queue", "queue changes"])


class Rule(NamedTuple):
    """A rule that JSON Schema cannot express: whether a body breaks it, and a body that breaks no other."""

    is_broken_by: Callable[[Any], bool]
    body: Body
    example: object


def walk(value: Any) -> Iterator[Any]:
    """The value, its keys and everything in it."""
    yield value
    for item in [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(item)


def depth(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + depth(child) for child in children), default=0)


def patches_of(body: Any) -> list[Any]:
    """The patches of a body that the schema admits; none for a body of items."""
    if not isinstance(body, dict):
        return []
    return list(body["patches"]) if "patches" in body else [body] if "metadata" in body else []


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


def has_unstorable_text(body: Any) -> bool:
    return any(
        isinstance(text, str) and any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in text)
        for text in walk(body)
    )


def has_unprintable_name(body: Any) -> bool:
    names = [name for patch in patches_of(body) for name in [*(patch.get("tags") or ()), patch.get("idempotency_key")]]
    return not all(name.isprintable() for name in names if name is not None)


def has_blank_tag(body: Any) -> bool:
    return any(not tag.strip() for patch in patches_of(body) for tag in patch.get("tags") or ())


def has_float_integer(body: Any) -> bool:
    items = body.get("items", [body]) if isinstance(body, dict) else []
    return any(isinstance(item.get(name), float) for item in items for name in ("priority", "reviewers_per_item"))


def has_impossible_date(body: Any) -> bool:
    items = body["items"] if isinstance(body, dict) and isinstance(body.get("items"), list) else []
    dates = [item["due_at"] for item in items if isinstance(item, dict) and isinstance(item.get("due_at"), str)]
    return any(parse_due_time(date.strip()) is None for date in dates)


def has_unusable_number(body: Any) -> bool:
    return any(isinstance(number, float) and not math.isfinite(number) for number in walk(body))


def is_too_deep(body: Any) -> bool:
    return any(depth(patch["metadata"]) > 64 for patch in patches_of(body))


def is_too_large(body: Any) -> bool:
    def size(metadata: Any) -> int:
        return len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))

    return any(size(patch["metadata"]) > 64 * 1024 for patch in patches_of(body))


PATCH: dict[str, Any] = {"trace_id": TRACE_ID, "metadata": {"a": 1}}
# Every rule that the schema cannot express. `test_it_accepts_what_the_schema_admits` knows no other exception.
RULES = {
    "a text has no NUL": Rule(
        has_unstorable_text, ITEMS, {"items": [{"trace_id": TRACE_ID, "reason": "a\x00b"}]}
    ),
    "a text has no lone surrogate": Rule(has_unstorable_text, PATCHES, {**PATCH, "metadata": {"a": ["\ud800"]}}),
    "a tag is printable": Rule(has_unprintable_name, PATCHES, {**PATCH, "tags": ["a\nb"]}),
    "a tag is not only white space": Rule(has_blank_tag, PATCHES, {**PATCH, "tags": [" "]}),
    "an idempotency key is printable": Rule(has_unprintable_name, PATCHES, {**PATCH, "idempotency_key": "a\u202eb"}),
    "a whole number is written without a point": Rule(
        has_float_integer, ITEMS, {"items": [{"trace_id": TRACE_ID, "priority": 1.0}]}
    ),
    "a date is in the calendar": Rule(
        has_impossible_date, ITEMS, {"items": [{"trace_id": TRACE_ID, "due_at": "2026-02-30"}]}
    ),
    "a number is finite": Rule(has_unusable_number, PATCHES, {**PATCH, "metadata": {"a": math.inf}}),
    "metadata is nested at most 64 levels deep": Rule(is_too_deep, PATCHES, {**PATCH, "metadata": {"a": nested(64)}}),
    "metadata has at most 64 KB": Rule(is_too_large, PATCHES, {**PATCH, "metadata": {"a": "x" * 65_536}}),
}  # fmt: skip


def breaks_a_rule(body: Any) -> bool:
    return any(rule.is_broken_by(body) for rule in RULES.values())


@for_each_body
@given(data=st.data())
@MANY
def test_it_accepts_what_the_schema_admits(body: Body, data: st.DataObject) -> None:
    value = json.loads(json.dumps(data.draw(values_of(body.schema))))

    assert admits(body.schema, value)
    assert body.accepts(value) is not breaks_a_rule(value)


@for_each_body
@given(data=st.data())
@MANY
def test_it_refuses_what_the_schema_refuses(body: Body, data: st.DataObject) -> None:
    """Bodies that differ from an admitted one in one part; some of them are admitted too."""
    value = json.loads(json.dumps(data.draw(mutations_of(body.schema))))
    is_valid = admits(body.schema, value) and not breaks_a_rule(value)

    assert body.accepts(value) is is_valid


@pytest.mark.parametrize("name", RULES)
def test_it_refuses_by_a_rule_beyond_the_schema(name: str) -> None:
    rule = RULES[name]

    assert admits(rule.body.schema, rule.example)
    assert rule.is_broken_by(rule.example)
    assert not rule.body.accepts(rule.example)


SPELLINGS = {
    "a repeated key": b'{"items": [{"trace_id": "%b", "trace_id": "%b"}]}',
    "a number of more than 400 digits": b'{"items": [{"trace_id": "%b", "priority": ' + b"1" * 401 + b"}]}",
    "NaN": b'{"items": [{"trace_id": "%b", "priority": NaN}]}',
    "a byte order mark": b'\xef\xbb\xbf{"items": [{"trace_id": "%b"}]}',
    "UTF-16": '{"items": []}'.encode("utf-16"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_refuses_a_spelling_that_no_schema_sees(spelling: str, token: str, queue: object) -> None:
    content = SPELLINGS[spelling].replace(b"%b", TRACE_ID.encode())

    assert post(content, token, url=ITEMS_URL).status_code == 400


class Boundary(NamedTuple):
    """A limit of the schema, a body that just keeps it and one that just breaks it."""

    label: str
    body: Body
    inside: object
    outside: object


LIMITS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum")
SMALLEST: dict[str, Callable[[Schema], object]] = {
    "string": lambda schema: TRACE_ID if "pattern" in schema else "x",
    "integer": lambda schema: 0,
    "boolean": lambda schema: True,
    "array": lambda schema: [smallest(schema["items"])],
    "object": lambda schema: (
        {name: smallest(schema["properties"][name]) for name in schema.get("required", [])}
        or ({} if "properties" in schema else {"k": 1})
    ),
}
SIZED: dict[str, Callable[[Schema, int], object]] = {
    "Length": lambda schema, size: "x" * size,
    "Items": lambda schema, size: [smallest(schema["items"])] * size,
    "Properties": lambda schema, size: {f"k{number}": 1 for number in range(size)},
    "imum": lambda schema, size: size,
}


def main_type(schema: Schema) -> str:
    return schema["type"][0] if isinstance(schema["type"], list) else schema["type"]


def smallest(schema: Schema) -> Any:
    return SMALLEST[main_type(schema)](schema)


Wrap = Callable[[Any], Any]


def positions(schema: Schema, label: str, wrap: Wrap) -> Iterator[tuple[str, Schema, Wrap]]:
    """Each schema in `schema`, itself first, with what puts a value of it into a whole body."""
    yield label, schema, wrap
    if "propertyNames" in schema:
        yield from positions(schema["propertyNames"], f"{label} key", lambda name: wrap({name: 1}))
    if "items" in schema:
        yield from positions(schema["items"], f"{label}[]", lambda item: wrap([item]))
    for name, field in schema.get("properties", {}).items():
        yield from positions(field, f"{label}.{name}", _wrap_field(schema, name, wrap))


def _wrap_field(schema: Schema, name: str, wrap: Wrap) -> Wrap:
    return lambda value: wrap({**smallest(schema), name: value})


def boundaries(body: Body, label: str, schema: Schema, wrap: Wrap) -> Iterator[Boundary]:
    for limit in [keyword for keyword in LIMITS if keyword in schema]:
        make = SIZED[limit[3:]]
        size, step = schema[limit], -1 if limit.startswith("min") else 1
        yield Boundary(f"{label} {limit}", body, wrap(make(schema, size)), wrap(make(schema, size + step)))


ALL_POSITIONS = [
    (body, *position)
    for body in BODIES
    for schema in body.schema.get("oneOf", [body.schema])
    for position in positions(schema, "", lambda value: value)
]
TEXT_VALUES = ["", "x", " ", "\x00", TRACE_ID, f"{TRACE_ID}0", f" {{{TRACE_ID}}}\n"]
VALUES = [None, True, False, 0, 7, -1, 1.0, 0.5, *TEXT_VALUES, [], ["x"], [1], [None], {}, {"a": 1}]


# A key is always a text: its limits are all there is to try.
KIND_CASES = [
    pytest.param(body, schema, wrap, id=label or "body")
    for body, label, schema, wrap in ALL_POSITIONS
    if "type" in schema
]


@pytest.mark.parametrize(("body", "schema", "wrap"), KIND_CASES)
def test_it_accepts_a_kind_of_value_where_the_schema_does(body: Body, schema: Schema, wrap: Wrap) -> None:
    for value in [*VALUES, *({**smallest(schema), "other": item} for item in VALUES if main_type(schema) == "object")]:
        whole = wrap(value)
        is_valid = admits(body.schema, whole) and not breaks_a_rule(whole)
        assert body.accepts(whole) is is_valid, whole


ALL_BOUNDARIES = [boundary for position in ALL_POSITIONS for boundary in boundaries(*position)]


@pytest.mark.parametrize("boundary", ALL_BOUNDARIES, ids=lambda boundary: boundary.label)
def test_it_keeps_each_limit_of_the_schema(boundary: Boundary) -> None:
    assert admits(boundary.body.schema, boundary.inside)
    assert not admits(boundary.body.schema, boundary.outside)
    assert boundary.body.accepts(boundary.inside)
    assert not boundary.body.accepts(boundary.outside)


def test_it_tries_every_limit() -> None:
    keywords = [key for body in BODIES for key in walk(body.schema) if isinstance(key, str) and key in LIMITS]

    assert len(ALL_BOUNDARIES) == len(keywords)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_publishes_examples_that_are_valid(operation: str) -> None:
    content = OPERATIONS[operation].get("requestBody", {}).get("content", {}).get("application/json", {})
    body = next((body for body in BODIES if body.schema == content.get("schema")), None)

    for example in content.get("examples", {}).values():
        assert body is not None
        assert admits(body.schema, example["value"])
        assert body.accepts(example["value"])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_publishes_an_example_of_each_response(operation: str) -> None:
    for response in OPERATIONS[operation]["responses"].values():
        content = response["content"]["application/json"]
        assert admits(content["schema"], content["example"], COMPONENTS)


STATUSES = {
    "get /api/v1/queues/{queue}/items": {"200", "400", "401", "403", "404", "405", "429"},
    "delete /api/v1/queues/{queue}/items/{item}": {"200", "401", "403", "404", "405", "409", "429"},
    "post /api/v1/queues/{queue}/items/{item}/requeue": {"200", "401", "403", "404", "405", "409", "429"},
    "post /api/v1/queues/{queue}/uploads": {
        "200",
        "202",
        "400",
        "401",
        "403",
        "404",
        "405",
        "409",
        "413",
        "415",
        "429",
    },
    "get /api/v1/queues/{queue}/uploads/{upload}": {"200", "401", "403", "404", "405", "429"},
    "get /api/v1/queues/{queue}/reviews": {"200", "400", "401", "403", "404", "405", "429"},
    "get /api/v1/queues": {"200", "400", "401", "403", "405", "429"},
    "post /api/v1/queues": {"201", "400", "401", "403", "405", "413", "415", "429"},
    "get /api/v1/queues/{queue}": {"200", "401", "403", "404", "405", "429"},
    "patch /api/v1/queues/{queue}": {"200", "400", "401", "403", "404", "405", "413", "415", "429"},
    "post /api/v1/queues/{queue}/items": {
        "200",
        "207",
        "400",
        "401",
        "403",
        "404",
        "405",
        "409",
        "413",
        "415",
        "422",
        "429",
    },
    "post /api/v1/patches": {"202", "207", "400", "401", "403", "405", "413", "415", "422", "429"},
    "get /api/v1/patches/{patch}": {"200", "401", "403", "404", "405", "429"},
}


def test_it_publishes_every_status(client: Client) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]

    assert {
        f"{method} {path}": set(operation["responses"])
        for path, operations in paths.items()
        for method, operation in operations.items()
    } == STATUSES


def test_it_publishes_both_forms_of_a_patch_body() -> None:
    single, many = PATCHES.schema["oneOf"]

    assert single["required"] == ["trace_id", "metadata"]
    assert {**many["properties"]["patches"]["items"], "title": single["title"]} == single


def test_it_publishes_the_idempotency_header() -> None:
    (parameter,) = OPERATIONS["post /api/v1/patches"]["parameters"]

    assert (parameter["in"], parameter["name"], parameter["required"]) == ("header", "Idempotency-Key", False)
