"""The tools that a model was offered as HTML."""

from collections.abc import Iterable

from reviewapp.traces.reader.sanitising import highlight_json, sanitise_text
from reviewapp.traces.transcript import tools_offered
from reviewapp.traces.transcript.tools_offered import Tool

# Characters of all parameters that one response formats.
PARAMETERS_LIMIT = 60_000
NO_TOOLS = '<p class="second">This trace does not say which tools the model was offered.</p>'
TOO_LONG = '<p class="second">The parameters are on the Raw tab.</p>'


def render_tools(tools: Iterable[Tool]) -> str:
    """Render tools as a list of names with what they do and their parameters."""
    remaining, items = PARAMETERS_LIMIT, []
    for tool in tools:
        remaining -= len(tool.parameters)
        description = f'<p class="plain" dir="auto">{sanitise_text(tool.description)}</p>' if tool.description else ""
        parameters = ""
        if tool.parameters:
            is_included = remaining >= 0
            parameters = f"<pre><code>{highlight_json(tool.parameters)}</code></pre>" if is_included else TOO_LONG
        items.append(
            f'<li class="card part"><b class="name">{sanitise_text(tool.name)}</b>{description}{parameters}</li>'
        )
    return f'<ul class="passages">{"".join(items)}</ul>' if items else NO_TOOLS


def read_tools(attributes_and_inputs: Iterable[tuple[str, str]]) -> list[Tool]:
    """Return the tools of several model spans, each once."""
    tools = (tool for texts in attributes_and_inputs for tool in tools_offered.read(*texts))
    return list(dict.fromkeys(tools))
