"""Each way a Laminar misbehaves when it is pushed to, as a rule of the sink that acts once."""

from typing import Any

from tests.faults.fake_laminar import Rule

NOT_FOUND = '"Trace not found"'
PAGE = "<!doctype html><title>Sign in</title>"


def _answering(status: int, body: str = "", **headers: str) -> Rule:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status": status, "body": body, "headers": named}


PUSH_FAULTS: dict[str, dict[str, Any]] = {
    "late": {"delay": 0.3},
    "never answers": {"silent": True},
    "reset before applying": {"close": "before"},
    "reset after applying": {"close": "after"},
    "a byte at a time": {"drip": 0.2},
    "an endless body": {"endless": True},
    "not applied": {"apply": "never"},
    "applied late": {"apply": 0.7},
    "applied behind the next": {"apply": "behind"},
    "replayed": {"replay": 0.5},
    "500": _answering(500),
    "503 after applying": {"apply": "now", **_answering(503)},
    "404 not found": _answering(404, NOT_FOUND),
    "404 blank": _answering(404),
    "429 seconds": _answering(429, Retry_After="7"),
    "429 date": _answering(429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"),
    "429 junk": _answering(429, Retry_After="soon, I hope"),
    "429 vast": _answering(429, Retry_After="1000000000"),
    "429 negative": _answering(429, Retry_After="-5"),
    "301": _answering(301, Location="http://127.0.0.1:9/"),
    "307": _answering(307, Location="http://127.0.0.1:9/"),
    "204": _answering(204),
    "a page": _answering(200, PAGE),
    "no JSON": _answering(200, "yes"),
    "401": _answering(401),
    "403": _answering(403),
    "400": _answering(400, '"metadata cannot be empty"'),
    "413": _answering(413),
}
QUERY_FAULTS: dict[str, dict[str, Any]] = {
    "read 500": _answering(500),
    "read page": _answering(200, PAGE),
    "read reset": {"close": "after"},
    "read 429": _answering(429, Retry_After="7"),
    "read without rows": _answering(200, "[]"),
}


def make_fault_rules(every: int = 1, **more: Any) -> list[Rule]:
    """A rule for each fault, to act once, one after another, at each so many-th request."""
    pushes = [{"name": name, "on": "metadata", **fault} for name, fault in PUSH_FAULTS.items()]
    queries = [{"name": name, "on": "query", **fault} for name, fault in QUERY_FAULTS.items()]
    return [{"times": 1, "every": every, **more, **rule} for rule in pushes + queries]
