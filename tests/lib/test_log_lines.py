import json
import logging
import sys

from structlog.contextvars import bound_contextvars

from reviewapp.lib.log_lines import JSONFormatter, LineFormatter


def test_it_writes_one_line_without_hidden_characters() -> None:
    record = logging.LogRecord("reviewapp", logging.INFO, "", 0, "pulled %s", ("\x1b[2J\u202eQA\nERROR fake",), None)

    assert LineFormatter("{levelname} {message}", style="{").format(record) == (
        r"INFO pulled [U+001B][2J[U+202E]QA\nERROR fake"
    )


def test_it_writes_one_line_of_json() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("reviewapp", logging.ERROR, "", 0, "pulled %s", ("\x1b[2J\nERROR fake",), info)
    with bound_contextvars(request_id="abc"):
        line = JSONFormatter().format(record)
    event = json.loads(line)

    assert "\n" not in line
    assert "\x1b" not in line
    assert (event["event"], event["level"], event["logger"]) == ("pulled \x1b[2J\nERROR fake", "error", "reviewapp")
    assert event["request_id"] == "abc"
    assert event["exception"].endswith("ValueError: a\nb")
