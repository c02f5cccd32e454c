"""`manage.py push_metadata`."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management.base import CommandError
from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery.models import Patch, Reason, State
from tests.commands.runner import run_command, run_command_json
from tests.factories import LaminarKeyFactory

ID = "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04"
PROJECT = "--project=support"


def line(number: int, **metadata: Any) -> str:
    return json.dumps({"trace_id": str(UUID(int=number)), "metadata": metadata or {"n": number}})


@pytest.fixture
def file(tmp_path: Path, project: Project) -> Callable[..., str]:
    """Return a function that writes lines to a file and returns the argument that names it."""

    def write(*lines: str) -> str:
        path = tmp_path / "patches.jsonl"
        path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8", errors="surrogateescape")
        return f"--file={path}"

    return write


def assert_refuses(code: int, reason: str, *arguments: str) -> str:
    with pytest.raises(CommandError, match=reason) as caught:
        run_command("push_metadata", PROJECT, *arguments)
    assert caught.value.returncode == code
    return str(caught.value)


def test_it_saves_a_patch(project: Project) -> None:
    output = run_command(
        "push_metadata", ID, "judge.score=0.5", "judge.why=a = b", "ok=true", 'n="1"', PROJECT, "--tag=judged"
    )
    patch = Patch.objects.get()

    assert output == "Saved 1 patch for delivery to Laminar."
    assert (str(patch.trace_id), patch.tag_names, patch.source) == (ID, ["judged"], "command")
    assert patch.values == {"judge.score": 0.5, "judge.why": "a = b", "ok": True, "n": "1"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("", ""), ("1", 1), ("1.0", 1), ("-2e3", -2000), ("null", None), ("yes", "yes"), ("[1,", "[1,"), ("{}", {})],
)
def test_it_reads_a_value_as_json_or_else_as_a_string(project: Project, text: str, value: object) -> None:
    run_command("push_metadata", ID, f"a={text}", PROJECT)

    assert Patch.objects.get().values == {"a": value}


def test_it_saves_the_same_arguments_again(project: Project) -> None:
    for _ in range(2):
        run_command("push_metadata", ID, "a=1", PROJECT)

    assert Patch.objects.count() == 2


def test_it_saves_the_same_arguments_once_per_prefix(project: Project) -> None:
    outputs = [
        run_command("push_metadata", ID, "a=1", PROJECT, f"--idempotency-prefix={prefix}") for prefix in ("x", "x", "y")
    ]

    assert outputs[1] == "Saved 0 patches for delivery to Laminar. 1 had been saved before."
    assert Patch.objects.count() == 2


def test_it_prints_json(project: Project) -> None:
    assert run_command_json("push_metadata", ID, "a=1", PROJECT) == {
        "put": 1, "known": 0, "warnings": [], "faults": [], "ended": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Give a trace id and key=value pairs"),
        ([ID], "Give a trace id and key=value pairs"),
        (["nonsense", "a=1"], "is not a trace id"),
        ([ID, "a"], "“a” is not a pair"),
        ([ID, "=1"], "A key is empty"),
        ([ID, "a=1", "a=2"], "“a” appears twice"),
        ([ID, "a=NaN"], "NaN is not a JSON number"),
        ([ID, "a=1e400"], "infinite"),
        ([ID, "a=\udcff"], "lone surrogate"),
        ([ID, "a=1", "--tag="], "is not a valid tag"),
        ([ID, "a=1", "--file=x"], "you cannot give a trace id or tags"),
        (["--file=/no/such/file"], "Could not read the file: No such file"),
    ],
    ids=str,
)
def test_it_refuses_invalid_arguments(project: Project, arguments: list[str], reason: str) -> None:
    assert assert_refuses(2, reason, *arguments).endswith("Nothing was saved.")
    assert not Patch.objects.exists()


@pytest.mark.django_db
def test_it_refuses_an_unknown_project() -> None:
    assert_refuses(2, "There is no project “support”", ID, "a=1")


def test_it_saves_a_file_in_order(file: Callable[..., str]) -> None:
    output = run_command("push_metadata", file(*(line(n % 150 + 1, n=n) for n in range(250)), "", " "), PROJECT)
    waiting = Patch.objects.filter(state=State.WAITING)

    assert output == "Saved 250 patches for delivery to Laminar."
    assert {patch.trace_id.int: patch.values["n"] for patch in waiting} == {
        n % 150 + 1: n for n in range(250)
    }  # fmt: skip
    assert {patch.source for patch in waiting} == {"command: patches.jsonl"}


def test_it_records_one_event_per_transaction(file: Callable[..., str]) -> None:
    run_command("push_metadata", file(*(line(n) for n in range(201))), PROJECT)

    assert [json.loads(event.detail)["count"] for event in AuditEvent.objects.order_by("seq")] == [100, 100, 1]


def test_it_saves_only_the_rest_of_an_interrupted_file(file: Callable[..., str]) -> None:
    run_command("push_metadata", file(line(1), line(2)), PROJECT)
    output = run_command("push_metadata", file(line(1), line(2).replace(" ", ""), line(3)), PROJECT)

    assert output == "Saved 1 patch for delivery to Laminar. 2 had been saved before."
    assert Patch.objects.count() == 3


def test_it_saves_a_line_that_is_repeated_in_one_file(file: Callable[..., str]) -> None:
    argument = file(line(1, a=1), line(1, a=2), line(1, a=1))
    for _ in range(2):
        run_command("push_metadata", argument, PROJECT)

    assert Patch.objects.count() == 3
    assert Patch.objects.get(state=State.WAITING).values == {"a": 1}


def test_it_saves_a_file_again_with_another_prefix(file: Callable[..., str]) -> None:
    argument = file(line(1))

    assert run_command("push_metadata", argument, PROJECT).startswith("Saved 1 patch")
    assert run_command("push_metadata", argument, PROJECT, "--idempotency-prefix=again").startswith("Saved 1 patch")


def test_it_reads_standard_input(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line(1, a="ü").encode())))
    run_command("push_metadata", "--file=-", PROJECT)

    assert (Patch.objects.get().values, Patch.objects.get().source) == ({"a": "ü"}, "command: standard input")


BAD = [
    ("nonsense", "Line 2: This is not valid JSON"),
    ("\udcff", "Line 2: This is not valid JSON"),
    ("[]", "Line 2: A patch is an object"),
    (line(1, a=float("nan")), "Line 2: NaN is not a JSON number"),
    (line(1).replace(str(UUID(int=1)), "x"), "Line 2: “x” is not a trace id"),
    (line(1)[:-1] + ', "idempotency_key": "a"}', "Line 2: A line cannot have an idempotency_key"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=lambda value: str(value)[:30].encode("ascii", "replace").decode())
def test_it_refuses_a_file_with_an_invalid_line(file: Callable[..., str], bad: str, reason: str) -> None:
    message = assert_refuses(2, reason, file(line(1), bad, line(3)))

    assert message.endswith("\nNothing was saved.")
    assert not Patch.objects.exists()


def test_it_saves_the_valid_lines_with_keep_going(file: Callable[..., str]) -> None:
    message = assert_refuses(1, "Skipped lines:", file(line(1), "x", line(3), "y"), "--keep-going")

    assert [part.partition(":")[0] for part in message.splitlines()] == ["Skipped lines", "Line 2", "Line 4"]
    assert Patch.objects.count() == 2


def test_it_prints_at_most_20_invalid_lines(file: Callable[..., str]) -> None:
    message = assert_refuses(2, "Line 1: ", file(*(["x"] * 25)))

    assert message.splitlines()[-2:] == ["… and 5 more", "Nothing was saved."]


@pytest.mark.parametrize("lines", [[], ["", " "]])
def test_it_refuses_an_empty_file(file: Callable[..., str], lines: list[str]) -> None:
    assert_refuses(2, "The file has no patches", file(*lines))


def test_it_refuses_a_file_of_invalid_lines_with_keep_going(file: Callable[..., str]) -> None:
    assert_refuses(2, "Nothing was saved", file("x"), "--keep-going")


def test_it_prints_a_warning_once(file: Callable[..., str]) -> None:
    warnings = run_command_json("push_metadata", file(line(1, a=1.0), line(2, a=2.0)), PROJECT)["warnings"]

    assert len(warnings) == 1
    assert Patch.objects.count() == 2


def test_it_prints_patches_and_saves_nothing_in_a_dry_run(file: Callable[..., str]) -> None:
    argument = file(line(1, a=1), line(2, a=2))
    run_command("push_metadata", file(line(1, a=1)), PROJECT)
    lines = run_command("push_metadata", file(line(1, a=1), line(2, a=2)), PROJECT, "--dry-run").splitlines()

    assert lines == [
        f'{UUID(int=1)} {{"a":1}}',
        f'{UUID(int=2)} {{"a":2}}',
        "1 patch would be saved. 1 had been saved before. Nothing was saved.",
    ]
    assert run_command_json("push_metadata", argument, PROJECT, "--dry-run")["would_put"] == 1
    assert Patch.objects.count() == 1


def test_it_waits_for_the_patch_that_replaced_another(file: Callable[..., str]) -> None:
    argument = file(line(1, a=1), line(1, a=2), line(2))
    run_command("push_metadata", argument, PROJECT)
    Patch.objects.filter(state=State.WAITING).update(state=State.CONFIRMED)

    assert run_command("push_metadata", argument, PROJECT, "--wait").endswith("3 had been saved before. 3 confirmed.")


def test_it_exits_with_1_when_a_patch_is_parked(file: Callable[..., str]) -> None:
    argument = file(line(1), line(2))
    run_command("push_metadata", argument, PROJECT)
    Patch.objects.filter(trace_id=UUID(int=1)).update(state=State.PARKED, reason=Reason.REFUSED)
    Patch.objects.filter(trace_id=UUID(int=2)).update(state=State.CONFIRMED)

    assert_refuses(1, "Not all patches were delivered", argument, "--wait")


def test_it_exits_with_2_when_the_database_fails_at_once(project: Project) -> None:
    with transaction.atomic():
        # The database refuses every further statement.
        transaction.set_rollback(True)
        assert_refuses(2, "Nothing was saved", ID, "a=1")


def test_it_waits_no_longer_than_the_timeout(project: Project) -> None:
    assert_refuses(1, "Not all patches were delivered", ID, "a=1", "--wait", "--timeout=0")

    assert Patch.objects.get().state == State.WAITING


def test_it_does_not_wait_for_confirmation_when_the_key_cannot_read(file: Callable[..., str], project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind="ingest-only")
    argument = file(line(1))
    run_command("push_metadata", argument, PROJECT)
    Patch.objects.update(state=State.ACCEPTED)

    assert run_command("push_metadata", argument, PROJECT, "--wait").endswith("1 accepted.")
