"""Each way a Laminar server misbehaves, as a rule of the fake Laminar that applies once."""

from typing import Any

from tests.faults.fake_laminar import Rule

NOT_FOUND = '"Trace not found"'
HTML_PAGE = "<!doctype html><title>Sign in</title>"


def _response(status: int, body: str = "", **headers: str) -> Rule:
    """Build a rule that replaces the response; `_` in a header's name stands for `-`."""
    return {
        "status": status, "body": body, "headers": {name.replace("_", "-"): value for name, value in headers.items()}
    }  # fmt: skip


PUSH_FAULTS: dict[str, dict[str, Any]] = {
    "slow response": {"delay": 0.3},
    "never responds": {"silent": True},
    "reset before applying": {"close": "before"},
    "reset after applying": {"close": "after"},
    "a byte at a time": {"drip": 0.2},
    "an endless body": {"endless": True},
    "not applied": {"apply": "never"},
    "applied late": {"apply": 0.7},
    "applied after the next": {"apply": "after_next"},
    "replayed": {"replay": 0.5},
    "500": _response(500),
    "503 after applying": {"apply": "now", **_response(503)},
    "404 not found": _response(404, NOT_FOUND),
    "404 empty": _response(404),
    "429 seconds": _response(429, Retry_After="7"),
    "429 date": _response(429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT"),
    "429 invalid": _response(429, Retry_After="soon, I hope"),
    "429 very long": _response(429, Retry_After="1000000000"),
    "429 negative": _response(429, Retry_After="-5"),
    # To a page of the fake Laminar, whose log would show a request for it.
    "301": _response(301, Location="/elsewhere"),
    "307": _response(307, Location="/elsewhere"),
    "204": _response(204),
    "HTML page": _response(200, HTML_PAGE),
    "invalid JSON": _response(200, "yes"),
    "401": _response(401),
    "403": _response(403),
    "400": _response(400, '"metadata cannot be empty"'),
    "413": _response(413),
}
QUERY_FAULTS: dict[str, dict[str, Any]] = {
    "read 500": _response(500),
    "read HTML page": _response(200, HTML_PAGE),
    "read reset": {"close": "after"},
    "read 429": _response(429, Retry_After="7"),
    "read without rows": _response(200, "[]"),
}


def make_fault_rules(every: int = 1) -> list[Rule]:
    """Return a rule for each fault, each of which applies once, to an N-th matching request."""
    pushes = [{"name": name, "endpoint": "metadata", **fault} for name, fault in PUSH_FAULTS.items()]
    queries = [{"name": name, "endpoint": "query", **fault} for name, fault in QUERY_FAULTS.items()]
    return [{"times": 1, "every": every, **rule} for rule in pushes + queries]
