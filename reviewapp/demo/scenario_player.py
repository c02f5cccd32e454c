"""Plays a script: every step becomes a span with a time, tokens, a cost and the JSON its provider's library writes."""

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from reviewapp.demo.provider_formats import PROVIDER_FORMATS, Message, ProviderFormat, ToolCall
from reviewapp.demo.scenario import Break, Call, Calls, Check, Fetch, Say, Scenario, Step, User
from reviewapp.demo.trace import DemoSpan

# Dollars for a million tokens, in and out.
PRICES = {
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.6),
    "gpt-4.1": (2.0, 8.0),
    "o4-mini": (1.1, 4.4),
    "claude-sonnet-4-5": (3.0, 15.0),
    "claude-haiku-4-5": (1.0, 5.0),
    "gemini-2.5-flash": (0.3, 2.5),
    "gemini-2.5-pro": (1.25, 10.0),
    "mistral-small-latest": (0.1, 0.3),
}


@dataclass
class _Stage:
    chance: random.Random
    clock: datetime
    spans: list[DemoSpan] = field(default_factory=list)

    def id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(64) | 1)

    def pass_time(self, seconds: float) -> datetime:
        self.clock += timedelta(seconds=round(seconds, 3))
        return self.clock


def play(script: Scenario, chance: random.Random, begin: datetime) -> tuple[DemoSpan, ...]:
    """The script's spans, the top one first, each after the one that holds it."""
    stage = _Stage(chance, begin)
    if script.is_single:
        _perform(stage, script, script.system, script.steps, None)
        return tuple(stage.spans)
    top = stage.id()
    stage.pass_time(chance.uniform(0.004, 0.04))
    last = _perform(stage, script, script.system, (*script.earlier, *script.steps), top)
    end = stage.pass_time(chance.uniform(0.002, 0.03))
    asked = script.asked if script.asked is not None else {"question": _last_question(script)}
    returned = script.returned if script.returned is not None else last
    events = (_exception(script.error, "run", end),) if script.error else ()
    output = "" if script.error else _text(returned)
    held = DemoSpan(top, None, script.agent, "DEFAULT", begin, end, _text(asked), output, events=events)
    return (held, *sorted(stage.spans, key=lambda span: span.start_time))


def _perform(stage: _Stage, script: Scenario, system: str, steps: tuple[Step, ...], above: UUID | None) -> str:
    """Play steps under one span; the last thing the model said."""
    lines: list[Message] = []
    last = ""
    for at, step in enumerate(steps):
        if isinstance(step, User):
            lines.append(Message("user", step.text, image=step.image))
        elif isinstance(step, Say) and at < len(script.earlier) and step is script.earlier[at]:
            lines.append(Message("assistant", step.text))
        elif isinstance(step, Say):
            answer = Message("assistant", step.text, step.thinking)
            _ask(stage, script, system, lines, answer, above, step.seconds)
            lines.append(answer)
            last = step.text
        elif isinstance(step, (Call, Calls)):
            _use_tools(stage, script, system, lines, step, above)
        elif isinstance(step, Fetch):
            _fetch(stage, step, above)
        elif isinstance(step, Check):
            _check(stage, step, above)
        else:
            _fail(stage, script, system, lines, step, above)
    return last


def _ask(
    stage: _Stage,
    script: Scenario,
    system: str,
    lines: list[Message],
    answer: Message,
    above: UUID | None,
    seconds: float,
) -> None:
    dialect = PROVIDER_FORMATS[script.dialect]
    output = _text(dialect.answer(answer))
    seconds = seconds or stage.chance.uniform(0.5, 1.1) + len(output) / stage.chance.uniform(220, 420)
    _add_model(stage, dialect, script.model, _text(dialect.request(system, lines)), output, above, seconds)


def _fail(stage: _Stage, script: Scenario, system: str, lines: list[Message], step: Break, above: UUID | None) -> None:
    dialect = PROVIDER_FORMATS[script.dialect]
    given = _text(dialect.request(system, lines))
    seconds = step.seconds or stage.chance.uniform(0.2, 1.5)
    _add_model(stage, dialect, script.model, given, "", above, seconds, step.error)


def _add_model(
    stage: _Stage,
    dialect: ProviderFormat,
    model: str,
    given: str,
    output: str,
    above: UUID | None,
    seconds: float,
    error: tuple[str, str] | None = None,
) -> None:
    begin, end = stage.clock, stage.pass_time(seconds)
    tokens_in, tokens_out = len(given) // 4, len(output) // 4
    price_in, price_out = PRICES[model]
    stage.spans.append(
        DemoSpan(
            stage.id(),
            above,
            dialect.span_name,
            "LLM",
            begin,
            end,
            given,
            output,
            model,
            dialect.provider,
            tokens_in,
            tokens_out,
            tokens_in * price_in / 1e6,
            tokens_out * price_out / 1e6,
            (_exception(error, "request", end),) if error else (),
        )
    )
    stage.pass_time(stage.chance.uniform(0.002, 0.02))


def _use_tools(
    stage: _Stage, script: Scenario, system: str, lines: list[Message], step: Call | Calls, above: UUID | None
) -> None:
    calls = step.calls if isinstance(step, Calls) else (step,)
    prefix = "toolu_01" if script.dialect == "anthropic" else "call_"
    asked = [ToolCall(f"{prefix}{stage.chance.getrandbits(60):015x}", call.name, call.arguments) for call in calls]
    thinking = step.thinking if isinstance(step, Call) else ""
    answer = Message("assistant", step.words, thinking, calls=tuple(asked))
    _ask(stage, script, system, lines, answer, above, 0.0)
    lines.append(answer)
    begin = latest = stage.clock
    for at, (call, mark) in enumerate(zip(calls, asked, strict=True)):
        # Several calls of one answer run at once.
        stage.clock = begin + timedelta(milliseconds=at)
        result = _use_tool(stage, script, call, above)
        latest = max(latest, stage.clock)
        lines.append(Message("tool", result, calls=(mark,)))
    stage.clock = latest


def _use_tool(stage: _Stage, script: Scenario, call: Call, above: UUID | None) -> str:
    """One tool span, with the agent inside it if there is one; what the model is told."""
    span_id, begin = stage.id(), stage.clock
    if call.inner:
        _perform(stage, script, call.brief, call.inner, span_id)
    end = stage.pass_time(call.seconds or stage.chance.uniform(0.05, 0.9))
    events = (_exception(call.error, call.name, end),) if call.error else ()
    output = "" if call.error else _text(call.result)
    given = _text(call.arguments)
    stage.spans.append(DemoSpan(span_id, above, call.name, "TOOL", begin, end, given, output, events=events))
    return f"Error: {call.error[1]}" if call.error else output


def _fetch(stage: _Stage, step: Fetch, above: UUID | None) -> None:
    begin, end = stage.clock, stage.pass_time(step.seconds or stage.chance.uniform(0.03, 0.4))
    events = (_exception(step.error, step.name, end),) if step.error else ()
    texts = (_text(step.given), "" if step.error else _text(step.found))
    stage.spans.append(DemoSpan(stage.id(), above, step.name, step.span_type, begin, end, *texts, events=events))


def _check(stage: _Stage, step: Check, above: UUID | None) -> None:
    dialect = PROVIDER_FORMATS["openai"]
    given = json.dumps([{"role": "user", "content": step.prompt}], ensure_ascii=False)
    output = _text(dialect.answer(Message("assistant", step.answer)))
    held, begin = stage.id(), stage.clock
    _add_model(stage, dialect, step.model, given, output, held, stage.chance.uniform(0.3, 0.8))
    texts = (_text({"text": step.prompt}), step.answer)
    stage.spans.append(DemoSpan(held, above, step.name, "DEFAULT", begin, stage.clock, *texts))


def _exception(error: tuple[str, str], place: str, at: datetime) -> dict[str, Any]:
    kind, message = error
    stack = (
        "Traceback (most recent call last):\n"
        f'  File "/srv/agent/steps.py", line {60 + len(place)}, in {place}\n'
        f"    return await self._send(request)\n{kind}: {message}\n"
    )
    given = {"exception.type": kind, "exception.message": message, "exception.stacktrace": stack}
    nanoseconds = round(at.timestamp() * 1_000_000) * 1000
    return {"name": "exception", "timestamp": nanoseconds, "attributes": {**given, "exception.escaped": "True"}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _last_question(script: Scenario) -> str:
    return next((step.text for step in reversed(script.steps) if isinstance(step, User)), "")
