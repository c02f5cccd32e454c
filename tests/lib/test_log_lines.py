import logging

from reviewapp.lib.log_lines import LineFormatter


def test_it_writes_one_line_without_hidden_characters() -> None:
    record = logging.LogRecord("reviewapp", logging.INFO, "", 0, "pulled %s", ("\x1b[2J\u202eQA\nERROR fake",), None)

    assert LineFormatter("{levelname} {message}", style="{").format(record) == (
        r"INFO pulled [U+001B][2J[U+202E]QA\nERROR fake"
    )
