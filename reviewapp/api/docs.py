"""`/api/v1/docs`: every endpoint with its fields, examples and responses, rendered from the OpenAPI description.

A page of our own: Ninja's needs scripts of another host, which the Content-Security-Policy blocks.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.api.endpoints import api
from reviewapp.api.openapi import JSON_TYPE
from reviewapp.web.pages import render_page

Json = Mapping[str, Any]


class Field(NamedTuple):
    """One row of a table of fields. `name` is a path such as `items[].trace_id`."""

    name: str
    type: str
    is_required: bool
    description: str


class Shape(NamedTuple):
    """One form that a body can have: its title and fields."""

    title: str
    fields: list[Field]


class Response(NamedTuple):
    status: str
    description: str
    shapes: list[Shape]
    example: str


class Endpoint(NamedTuple):
    """One method of one path. `examples` are titles and curl commands."""

    anchor: str
    method: str
    path: str
    summary: str
    paragraphs: list[str]
    parameters: list[Field]
    body: list[Shape]
    examples: list[tuple[str, str]]
    responses: list[Response]


@access.anyone
@require_safe
def docs_page(request: HttpRequest) -> HttpResponse:
    schema = api.get_openapi_schema()
    endpoints = list_endpoints(schema, request.build_absolute_uri("/").rstrip("/"))
    context = {
        "info": schema["info"],
        "paragraphs": _split_paragraphs(schema["info"]["description"]),
        "endpoints": endpoints,
    }
    return render_page(request, "api/docs.html", context)


def list_endpoints(schema: Json, base_url: str) -> list[Endpoint]:
    """Every endpoint of an OpenAPI description, in its order."""
    components = schema["components"]["schemas"]
    return [
        _describe_endpoint(method, path, operation, components, base_url)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


def _describe_endpoint(method: str, path: str, operation: Json, components: Json, base_url: str) -> Endpoint:
    content = operation.get("requestBody", {}).get("content", {})
    body, takes_file = content.get(JSON_TYPE, {}), bool(content) and JSON_TYPE not in content
    bodies = [(example["summary"], example["value"]) for example in body.get("examples", {}).values()]
    url = base_url + path.format_map(
        {parameter["name"]: parameter.get("example") for parameter in operation["parameters"]}
    )
    return Endpoint(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        paragraphs=_split_paragraphs(operation["description"]),
        parameters=[_describe_parameter(parameter) for parameter in operation["parameters"]],
        body=_list_shapes(body["schema"], components) if body else [],
        examples=[
            (title, _format_curl(method.upper(), url, value, takes_file=takes_file))
            for title, value in bodies or [("", None)]
        ],
        responses=[
            _describe_response(str(status), response, components) for status, response in operation["responses"].items()
        ],
    )


def _split_paragraphs(text: str) -> list[str]:
    """The paragraphs of a docstring, without its line breaks."""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _describe_parameter(parameter: Json) -> Field:
    schema = parameter["schema"]
    description = f"In the {parameter['in']}. {_describe_limits({**schema, 'description': parameter['description']})}"
    return Field(parameter["name"], _name_type(schema, {}), parameter["required"], description)


def _describe_response(status: str, response: Json, components: Json) -> Response:
    content = response["content"][JSON_TYPE]
    example = json.dumps(content["example"], indent=2, ensure_ascii=False)
    return Response(status, response["description"], _list_shapes(content["schema"], components), example)


def _format_curl(method: str, url: str, body: object, *, takes_file: bool) -> str:
    lines = [f"curl -X {method} '{url}'", '-H "Authorization: Bearer $TOKEN"']
    if takes_file:
        lines.append("--data-binary @traces.csv")
    if body is not None:
        # A single quote would end the shell's quoting.
        text = json.dumps(body, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines += [f"-H 'Content-Type: {JSON_TYPE}'", f"-d '{text}'"]
    return " \\\n  ".join(lines)


def _list_shapes(schema: Json, components: Json) -> list[Shape]:
    schema = _resolve(schema, components)
    alternatives = schema.get("oneOf") or schema.get("anyOf") or [schema]
    resolved = [_resolve(alternative, components) for alternative in alternatives]
    return [Shape(shape.get("title", ""), list(_list_fields(shape, components))) for shape in resolved]


def _list_fields(schema: Json, components: Json, prefix: str = "") -> Iterator[Field]:
    """The fields of an object, those of nested objects and arrays of objects below their own."""
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        resolved = _resolve(field, components)
        # A description beside a reference is about this field, the referenced one about the type.
        described = {**resolved, "description": field.get("description", "")}
        yield Field(f"{prefix}{name}", _name_type(field, components), name in required, _describe_limits(described))
        item = _resolve(resolved.get("items", {}), components)
        yield from _list_fields(resolved, components, f"{prefix}{name}.")
        yield from _list_fields(item, components, f"{prefix}{name}[].")


def _resolve(schema: Json, components: Json) -> Json:
    """The schema that a reference names, or the only alternative besides null."""
    if "$ref" in schema:
        resolved: Json = components[schema["$ref"].rpartition("/")[2]]
        return resolved
    alternatives = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    return _resolve(alternatives[0], components) if len(alternatives) == 1 else schema


def _name_type(schema: Json, components: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_name_type(choice, components) for choice in schema["anyOf"])
    schema = _resolve(schema, components)
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = [f"array of {_name_type(schema['items'], components)}s" if name == "array" else name for name in types]
    return " or ".join(names)


def _describe_limits(schema: Json) -> str:
    """The description of a field, then its limits as words."""
    limits = [
        _describe_range(schema, "minLength", "maxLength", "characters"),
        _describe_range(schema, "minItems", "maxItems", "entries"),
        _describe_range(schema, "minProperties", "maxProperties", "keys"),
        _describe_range(schema.get("propertyNames", {}), "minLength", "maxLength", "characters per key"),
        _describe_range(schema, "minimum", "maximum", ""),
        _describe_range(schema["items"], "minLength", "maxLength", "characters each") if "items" in schema else "",
        f"one of {', '.join(schema['enum'])}" if "enum" in schema else "",
    ]
    parts = [schema.get("description", ""), "; ".join(filter(None, limits)).capitalize()]
    return ". ".join(filter(None, parts))


def _describe_range(schema: Json, lower: str, upper: str, unit: str) -> str:
    if upper not in schema:
        return ""
    low, high = schema.get(lower), f"{schema[upper]:,}"
    words = f"at most {high}" if low is None else f"{low:,} to {high}"
    return f"{words} {unit}".strip()
