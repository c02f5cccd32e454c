"""Program traced with the official SDK. Arguments: `HTTP_PORT KEY`. The last line of its output is the trace id."""

import sys

from lmnr import Laminar, observe

port, key = sys.argv[1:]
Laminar.initialize(key, base_url="http://127.0.0.1", http_port=int(port), force_http=True, instruments=set())


@observe(name="look_up", span_type="TOOL")
def look_up(order: str) -> dict[str, str]:
    Laminar.set_span_tags(["slow"])
    return {"order": order, "state": "sent"}


@observe(name="fail")
def fail() -> None:
    raise ValueError("no such order")


@observe(name="agent", session_id="session-1", user_id="user-1", metadata={"environment": "test"}, tags=["beta"])
def agent(question: str) -> str:
    Laminar.set_trace_metadata(
        {"environment": "test", "whole": 1, "real": 1.0, "flag": True, "text": "5", "list": ["a"], "dict": {"a": 1}}
    )
    look_up("42")
    try:
        fail()
    except ValueError:
        pass
    with Laminar.start_as_current_span(name="chat", span_type="LLM", input=[{"role": "user", "content": question}]):
        Laminar.set_span_attributes({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 4})
        Laminar.set_span_output("It was sent.")
    sys.stdout.write(f"{Laminar.get_trace_id()}\n")
    return "It was sent."


agent("Where is order 42?")
Laminar.flush()
