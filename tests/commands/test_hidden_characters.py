"""No output of a command can steer the terminal."""

import pytest
from django.core.management import execute_from_command_line

from reviewapp.accounts.models import Project
from tests.commands.runner import run_command

TRACE_ID = "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04"


@pytest.mark.parametrize("command", ["hold_deliveries", "migrate"])
@pytest.mark.parametrize(
    ("argument", "shown"),
    [("--x\x1b[31m", "[U+001B][31m"), ("--x\u202ey", "[U+202E]y"), ("--x\ry", "[U+000D]y")],
)
def test_it_reveals_an_unknown_argument(
    capsys: pytest.CaptureFixture[str], command: str, argument: str, shown: str
) -> None:
    project = ["--project", "demo"] if command == "hold_deliveries" else []
    with pytest.raises(SystemExit):
        execute_from_command_line(["manage.py", command, *project, argument])
    error = capsys.readouterr().err

    assert f"unrecognized arguments: --x{shown}" in error
    assert argument not in error


def test_it_reveals_what_it_prints(project: Project) -> None:
    output = run_command("push_metadata", TRACE_ID, "a\u202e=b", "--project", project.slug, "--dry-run")

    assert '{"a[U+202E]":"b"}' in output


def test_it_prints_json_without_hidden_characters(project: Project) -> None:
    output = run_command("push_metadata", TRACE_ID, "a\u202e={}", "--project", project.slug, "--dry-run", "--json")

    assert "\\u202e" in output
    assert output.isascii()
