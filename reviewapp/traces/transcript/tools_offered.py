"""The tools that a model was offered, from its request or its span's attributes, in any provider's shape."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reviewapp.lib import exact_json
from reviewapp.traces.transcript import parts

# In characters, and in tools.
PARSE_LIMIT, LIMIT = 1_000_000, 200
ATTRIBUTES = (
    "gen_ai.tool.definitions", "gen_ai.request.tools", "ai.prompt.tools", "llm.tools", "llm.request.functions",
)  # fmt: skip
_LISTS = ("tools", "functions", "functionDeclarations", "function_declarations")
_INNER = ("function", "toolSpec", "tool", "json_schema")
_SCHEMAS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "schema")
_NUMBERED = re.compile(r"llm\.(?:request\.functions|tools)\.(\d{1,4})\.(.+)")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by its name, what it is said to do, and its parameters as JSON."""

    name: str
    description: str = ""
    parameters: str = ""


def read(attributes_text: str, input_text: str) -> list[Tool]:
    """Return the tools in a model span's attributes, else in its input; each once. Never raises."""
    attributes = _parse(attributes_text)
    values = list(_list_values(attributes)) if isinstance(attributes, dict) else []
    tools = _read_each(values)
    return tools or (_read_each([input_text]) if is_named_in(input_text) else [])


def is_named_in(input_text: str) -> bool:
    """Whether a model's input is a request that may have a list of tools."""
    return input_text[:1] == "{" and '"tools"' in input_text


def _list_values(attributes: dict[str, Any]) -> Iterator[Any]:
    numbered: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        if name in ATTRIBUTES:
            yield _parse(value)
        elif match := _NUMBERED.fullmatch(name):
            numbered.setdefault(int(match[1]), {})[match[2].removeprefix("tool.")] = _parse(value)
    yield [numbered[number] for number in sorted(numbered)]


def _read_each(values: Iterable[Any]) -> list[Tool]:
    tools: dict[Tool, None] = {}
    for value in values:
        for tool in _read_value(value, 0):
            if len(tools) < LIMIT:
                tools.setdefault(tool)
    return list(tools)


def _read_value(value: Any, depth: int) -> Iterator[Tool]:
    """Yield the tools in a list, a request or a definition."""
    value = _parse(value)
    if depth > 4:
        return
    if isinstance(value, list):
        for item in value[:LIMIT]:
            yield from _read_value(item, depth + 1)
        return
    if not isinstance(value, dict):
        return
    lists = [value[key] for key in (*_LISTS, "config") if isinstance(value.get(key), (list, dict))]
    inner = next((value[key] for key in _INNER if isinstance(_parse(value.get(key)), dict)), None)
    if lists and "name" not in value:
        for inner_list in lists:
            yield from _read_value(inner_list, depth + 1)
    elif inner is not None and "name" not in value:
        yield from _read_value(inner, depth + 1)
    elif depth:
        yield from _read_tool(value)


def _read_tool(fields: dict[str, Any]) -> Iterator[Tool]:
    name = next((fields[key] for key in ("name", "type") if isinstance(fields.get(key), str)), "")
    if name and "role" not in fields:
        schema = next((fields[key] for key in _SCHEMAS if fields.get(key)), None)
        description = fields.get("description")
        yield Tool(name, description if isinstance(description, str) else "", parts.json_text(schema))


def _parse(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("{", "[") or len(value) > PARSE_LIMIT:
        return value
    try:
        return exact_json.loads(value, has_constants=True)
    except (ValueError, RecursionError):
        return value
