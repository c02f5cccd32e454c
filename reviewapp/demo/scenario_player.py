"""Play a scenario: each step becomes a span with times, tokens, a cost and the JSON its provider's library writes."""

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from reviewapp.demo.provider_formats import PROVIDER_FORMATS, Message, ProviderFormat, ToolCall
from reviewapp.demo.scenario import Call, Calls, Check, FailedCall, Fetch, Say, Scenario, Step, User
from reviewapp.demo.trace import DemoSpan

# Dollars per million tokens: (input, output).
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
class _Recorder:
    """The spans recorded so far and the time at which the next one starts."""

    rng: random.Random
    clock: datetime
    spans: list[DemoSpan] = field(default_factory=list)

    def new_id(self) -> UUID:
        return UUID(int=self.rng.getrandbits(64) | 1)

    def advance(self, seconds: float) -> datetime:
        self.clock += timedelta(seconds=round(seconds, 3))
        return self.clock


def play(scenario: Scenario, rng: random.Random, start_time: datetime) -> tuple[DemoSpan, ...]:
    """Return the scenario's spans ordered by start time, the top span first."""
    recorder = _Recorder(rng, start_time)
    if scenario.is_single:
        _play_steps(recorder, scenario, scenario.system, scenario.steps, None)
        return tuple(recorder.spans)
    top_id = recorder.new_id()
    recorder.advance(rng.uniform(0.004, 0.04))
    last_answer = _play_steps(recorder, scenario, scenario.system, (*scenario.history, *scenario.steps), top_id)
    end_time = recorder.advance(rng.uniform(0.002, 0.03))
    input_value = scenario.input if scenario.input is not None else {"question": _last_question(scenario)}
    output_value = scenario.output if scenario.output is not None else last_answer
    events = (_exception(scenario.error, "run", end_time),) if scenario.error else ()
    output_text = "" if scenario.error else _text(output_value)
    input_text = _text(input_value)
    top = DemoSpan(
        top_id, None, scenario.agent, "DEFAULT", start_time, end_time, input_text, output_text, events=events
    )
    return (top, *sorted(recorder.spans, key=lambda span: span.start_time))


def _play_steps(
    recorder: _Recorder, scenario: Scenario, system: str, steps: tuple[Step, ...], parent_id: UUID | None
) -> str:
    """Play steps under one parent span. Returns the model's last answer."""
    messages: list[Message] = []
    last_answer = ""
    for index, step in enumerate(steps):
        if isinstance(step, User):
            messages.append(Message("user", step.text, image=step.image))
        elif isinstance(step, Say) and index < len(scenario.history) and step is scenario.history[index]:
            messages.append(Message("assistant", step.text))
        elif isinstance(step, Say):
            answer = Message("assistant", step.text, step.thinking)
            _add_answer(recorder, scenario, system, messages, answer, parent_id, step.seconds)
            messages.append(answer)
            last_answer = step.text
        elif isinstance(step, (Call, Calls)):
            _add_tool_calls(recorder, scenario, system, messages, step, parent_id)
        elif isinstance(step, Fetch):
            _add_fetch(recorder, step, parent_id)
        elif isinstance(step, Check):
            _add_check(recorder, step, parent_id)
        else:
            _add_failure(recorder, scenario, system, messages, step, parent_id)
    return last_answer


def _add_answer(
    recorder: _Recorder,
    scenario: Scenario,
    system: str,
    messages: list[Message],
    answer: Message,
    parent_id: UUID | None,
    seconds: float,
) -> None:
    provider_format = PROVIDER_FORMATS[scenario.provider_format]
    output_text = _text(provider_format.response(answer))
    seconds = seconds or recorder.rng.uniform(0.5, 1.1) + len(output_text) / recorder.rng.uniform(220, 420)
    input_text = _text(provider_format.request(system, messages))
    _add_model_span(recorder, provider_format, scenario.model, input_text, output_text, parent_id, seconds)


def _add_failure(
    recorder: _Recorder,
    scenario: Scenario,
    system: str,
    messages: list[Message],
    step: FailedCall,
    parent_id: UUID | None,
) -> None:
    provider_format = PROVIDER_FORMATS[scenario.provider_format]
    input_text = _text(provider_format.request(system, messages))
    seconds = step.seconds or recorder.rng.uniform(0.2, 1.5)
    _add_model_span(recorder, provider_format, scenario.model, input_text, "", parent_id, seconds, step.error)


def _add_model_span(
    recorder: _Recorder,
    provider_format: ProviderFormat,
    model: str,
    input_text: str,
    output_text: str,
    parent_id: UUID | None,
    seconds: float,
    error: tuple[str, str] | None = None,
) -> None:
    start_time, end_time = recorder.clock, recorder.advance(seconds)
    tokens_in, tokens_out = len(input_text) // 4, len(output_text) // 4
    price_in, price_out = PRICES[model]
    recorder.spans.append(
        DemoSpan(
            recorder.new_id(),
            parent_id,
            provider_format.span_name,
            "LLM",
            start_time,
            end_time,
            input_text,
            output_text,
            model,
            provider_format.provider,
            tokens_in,
            tokens_out,
            tokens_in * price_in / 1e6,
            tokens_out * price_out / 1e6,
            (_exception(error, "request", end_time),) if error else (),
        )
    )
    recorder.advance(recorder.rng.uniform(0.002, 0.02))


def _add_tool_calls(
    recorder: _Recorder,
    scenario: Scenario,
    system: str,
    messages: list[Message],
    step: Call | Calls,
    parent_id: UUID | None,
) -> None:
    calls = step.calls if isinstance(step, Calls) else (step,)
    prefix = "toolu_01" if scenario.provider_format == "anthropic" else "call_"
    tool_calls = [ToolCall(f"{prefix}{recorder.rng.getrandbits(60):015x}", call.name, call.arguments) for call in calls]
    thinking = step.thinking if isinstance(step, Call) else ""
    answer = Message("assistant", step.words, thinking, calls=tuple(tool_calls))
    _add_answer(recorder, scenario, system, messages, answer, parent_id, 0.0)
    messages.append(answer)
    start_time = latest = recorder.clock
    for index, (call, tool_call) in enumerate(zip(calls, tool_calls, strict=True)):
        # The calls of one answer run in parallel.
        recorder.clock = start_time + timedelta(milliseconds=index)
        result = _add_tool_span(recorder, scenario, call, parent_id)
        latest = max(latest, recorder.clock)
        messages.append(Message("tool", result, calls=(tool_call,)))
    recorder.clock = latest


def _add_tool_span(recorder: _Recorder, scenario: Scenario, call: Call, parent_id: UUID | None) -> str:
    """Add a tool span, with the spans of the agent inside it if any. Returns the result for the model."""
    span_id, start_time = recorder.new_id(), recorder.clock
    if call.substeps:
        _play_steps(recorder, scenario, call.instructions, call.substeps, span_id)
    end_time = recorder.advance(call.seconds or recorder.rng.uniform(0.05, 0.9))
    events = (_exception(call.error, call.name, end_time),) if call.error else ()
    output_text = "" if call.error else _text(call.result)
    input_text = _text(call.arguments)
    recorder.spans.append(
        DemoSpan(span_id, parent_id, call.name, "TOOL", start_time, end_time, input_text, output_text, events=events)
    )
    return f"Error: {call.error[1]}" if call.error else output_text


def _add_fetch(recorder: _Recorder, step: Fetch, parent_id: UUID | None) -> None:
    start_time, end_time = recorder.clock, recorder.advance(step.seconds or recorder.rng.uniform(0.03, 0.4))
    events = (_exception(step.error, step.name, end_time),) if step.error else ()
    texts = (_text(step.input), "" if step.error else _text(step.output))
    recorder.spans.append(
        DemoSpan(recorder.new_id(), parent_id, step.name, step.span_type, start_time, end_time, *texts, events=events)
    )


def _add_check(recorder: _Recorder, step: Check, parent_id: UUID | None) -> None:
    provider_format = PROVIDER_FORMATS["openai"]
    input_text = json.dumps([{"role": "user", "content": step.prompt}], ensure_ascii=False)
    output_text = _text(provider_format.response(Message("assistant", step.answer)))
    check_id, start_time = recorder.new_id(), recorder.clock
    _add_model_span(
        recorder, provider_format, step.model, input_text, output_text, check_id, recorder.rng.uniform(0.3, 0.8)
    )
    texts = (_text({"text": step.prompt}), step.answer)
    recorder.spans.append(DemoSpan(check_id, parent_id, step.name, "DEFAULT", start_time, recorder.clock, *texts))


def _exception(error: tuple[str, str], function: str, time: datetime) -> dict[str, Any]:
    kind, message = error
    stack = (
        "Traceback (most recent call last):\n"
        f'  File "/srv/agent/steps.py", line {60 + len(function)}, in {function}\n'
        f"    return await self._send(request)\n{kind}: {message}\n"
    )
    attributes = {"exception.type": kind, "exception.message": message, "exception.stacktrace": stack}
    nanoseconds = round(time.timestamp() * 1_000_000) * 1000
    return {"name": "exception", "timestamp": nanoseconds, "attributes": {**attributes, "exception.escaped": "True"}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _last_question(scenario: Scenario) -> str:
    return next((step.text for step in reversed(scenario.steps) if isinstance(step, User)), "")
