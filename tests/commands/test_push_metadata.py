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
    """Write these lines to a file; the argument that names it."""

    def write(*lines: str) -> str:
        path = tmp_path / "patches.jsonl"
        path.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8", errors="surrogateescape")
        return f"--file={path}"

    return write


def refuses(code: int, reason: str, *given: str) -> str:
    with pytest.raises(CommandError, match=reason) as caught:
        run_command("push_metadata", PROJECT, *given)
    assert caught.value.returncode == code
    return str(caught.value)


def test_it_puts_one(project: Project) -> None:
    said = run_command(
        "push_metadata", ID, "judge.score=0.5", "judge.why=a = b", "ok=true", 'n="1"', PROJECT, "--tag=judged"
    )
    patch = Patch.objects.get()

    assert said == "1 put on the way to Laminar."
    assert (str(patch.trace_id), patch.tag_names, patch.source) == (ID, ["judged"], "command")
    assert patch.values == {"judge.score": 0.5, "judge.why": "a = b", "ok": True, "n": "1"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("", ""), ("1", 1), ("1.0", 1), ("-2e3", -2000), ("null", None), ("yes", "yes"), ("[1,", "[1,"), ("{}", {})],
)
def test_it_reads_a_value_as_json_or_else_as_a_text(project: Project, text: str, value: object) -> None:
    run_command("push_metadata", ID, f"a={text}", PROJECT)

    assert Patch.objects.get().values == {"a": value}


def test_it_puts_the_same_words_again(project: Project) -> None:
    for _ in range(2):
        run_command("push_metadata", ID, "a=1", PROJECT)

    assert Patch.objects.count() == 2


def test_it_puts_the_same_words_once_under_a_prefix(project: Project) -> None:
    said = [
        run_command("push_metadata", ID, "a=1", PROJECT, f"--idempotency-prefix={prefix}") for prefix in ("x", "x", "y")
    ]

    assert said[1] == "0 put on the way to Laminar. 1 had been put before."
    assert Patch.objects.count() == 2


def test_it_tells_in_json(project: Project) -> None:
    assert run_command_json("push_metadata", ID, "a=1", PROJECT) == {
        "put": 1, "known": 0, "warnings": [], "faults": [], "ended": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "reason"),
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
        ([ID, "a=1", "--file=x"], "give nothing beside it"),
        (["--file=/no/such/file"], "The file cannot be read: No such file"),
    ],
    ids=str,
)
def test_it_refuses_what_cannot_be_put(project: Project, given: list[str], reason: str) -> None:
    assert refuses(2, reason, *given).endswith("Nothing was put.")
    assert not Patch.objects.exists()


@pytest.mark.django_db
def test_it_refuses_an_unknown_project() -> None:
    refuses(2, "There is no project “support”", ID, "a=1")


def test_it_puts_a_file_in_order(file: Callable[..., str]) -> None:
    said = run_command("push_metadata", file(*(line(n % 150 + 1, n=n) for n in range(250)), "", " "), PROJECT)
    waiting = Patch.objects.filter(state=State.WAITING)

    assert said == "250 put on the way to Laminar."
    assert {patch.trace_id.int: patch.values["n"] for patch in waiting} == {
        n % 150 + 1: n for n in range(250)
    }  # fmt: skip
    assert {patch.source for patch in waiting} == {"command: patches.jsonl"}


def test_it_records_one_event_for_each_transaction(file: Callable[..., str]) -> None:
    run_command("push_metadata", file(*(line(n) for n in range(201))), PROJECT)

    assert [json.loads(event.detail)["count"] for event in AuditEvent.objects.order_by("seq")] == [100, 100, 1]


def test_it_puts_only_the_rest_of_a_file_that_was_stopped(file: Callable[..., str]) -> None:
    run_command("push_metadata", file(line(1), line(2)), PROJECT)
    said = run_command("push_metadata", file(line(1), line(2).replace(" ", ""), line(3)), PROJECT)

    assert said == "1 put on the way to Laminar. 2 had been put before."
    assert Patch.objects.count() == 3


def test_it_puts_a_line_that_comes_back_in_one_file(file: Callable[..., str]) -> None:
    given = file(line(1, a=1), line(1, a=2), line(1, a=1))
    for _ in range(2):
        run_command("push_metadata", given, PROJECT)

    assert Patch.objects.count() == 3
    assert Patch.objects.get(state=State.WAITING).values == {"a": 1}


def test_it_puts_a_file_again_under_another_prefix(file: Callable[..., str]) -> None:
    given = file(line(1))

    assert run_command("push_metadata", given, PROJECT).startswith("1 put")
    assert run_command("push_metadata", given, PROJECT, "--idempotency-prefix=again").startswith("1 put")


def test_it_reads_the_standard_input(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line(1, a="ü").encode())))
    run_command("push_metadata", "--file=-", PROJECT)

    assert (Patch.objects.get().values, Patch.objects.get().source) == ({"a": "ü"}, "command: standard input")


BAD = [
    ("nonsense", "Line 2: This is not valid JSON"),
    ("\udcff", "Line 2: This is not valid JSON"),
    ("[]", "Line 2: A patch is an object"),
    (line(1, a=float("nan")), "Line 2: NaN is not a JSON number"),
    (line(1).replace(str(UUID(int=1)), "x"), "Line 2: “x” is not a trace id"),
    (line(1)[:-1] + ', "idempotency_key": "a"}', "Line 2: A line takes no idempotency_key"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=lambda value: str(value)[:30].encode("ascii", "replace").decode())
def test_it_names_the_line_at_fault_and_puts_nothing(file: Callable[..., str], bad: str, reason: str) -> None:
    said = refuses(2, reason, file(line(1), bad, line(3)))

    assert said.endswith("\nNothing was put.")
    assert not Patch.objects.exists()


def test_it_puts_the_good_lines_when_told_to(file: Callable[..., str]) -> None:
    said = refuses(1, "Left out:", file(line(1), "x", line(3), "y"), "--keep-going")

    assert [part.partition(":")[0] for part in said.splitlines()] == ["Left out", "Line 2", "Line 4"]
    assert Patch.objects.count() == 2


def test_it_names_no_end_of_bad_lines(file: Callable[..., str]) -> None:
    said = refuses(2, "Line 1: ", file(*(["x"] * 25)))

    assert said.splitlines()[-2:] == ["… and 5 more", "Nothing was put."]


@pytest.mark.parametrize("lines", [[], ["", " "]])
def test_it_refuses_an_empty_file(file: Callable[..., str], lines: list[str]) -> None:
    refuses(2, "The file holds no patch", file(*lines))


def test_a_file_of_bad_lines_only_is_nothing_put(file: Callable[..., str]) -> None:
    refuses(2, "Nothing was put", file("x"), "--keep-going")


def test_it_warns_of_what_may_surprise_once(file: Callable[..., str]) -> None:
    warnings = run_command_json("push_metadata", file(line(1, a=1.0), line(2, a=2.0)), PROJECT)["warnings"]

    assert len(warnings) == 1
    assert Patch.objects.count() == 2


def test_a_dry_run_says_what_would_be_put(file: Callable[..., str]) -> None:
    given = file(line(1, a=1), line(2, a=2))
    run_command("push_metadata", file(line(1, a=1)), PROJECT)
    said = run_command("push_metadata", file(line(1, a=1), line(2, a=2)), PROJECT, "--dry-run").splitlines()

    assert said == [
        f'{UUID(int=1)} {{"a":1}}',
        f'{UUID(int=2)} {{"a":2}}',
        "1 would be put. 1 had been put before. Nothing was put.",
    ]
    assert run_command_json("push_metadata", given, PROJECT, "--dry-run")["would_put"] == 1
    assert Patch.objects.count() == 1


def test_it_waits_for_what_carries_a_patch(file: Callable[..., str]) -> None:
    given = file(line(1, a=1), line(1, a=2), line(2))
    run_command("push_metadata", given, PROJECT)
    Patch.objects.filter(state=State.WAITING).update(state=State.CONFIRMED)

    assert run_command("push_metadata", given, PROJECT, "--wait").endswith("3 had been put before. 3 confirmed.")


def test_it_tells_what_is_parked(file: Callable[..., str]) -> None:
    given = file(line(1), line(2))
    run_command("push_metadata", given, PROJECT)
    Patch.objects.filter(trace_id=UUID(int=1)).update(state=State.PARKED, reason=Reason.REFUSED)
    Patch.objects.filter(trace_id=UUID(int=2)).update(state=State.CONFIRMED)

    refuses(1, "Not all was delivered", given, "--wait")


def test_a_database_that_fails_at_once_puts_nothing(project: Project) -> None:
    with transaction.atomic():
        # No statement is taken any more.
        transaction.set_rollback(True)
        refuses(2, "Nothing was put", ID, "a=1")


def test_it_waits_no_longer_than_told(project: Project) -> None:
    refuses(1, "Not all was delivered", ID, "a=1", "--wait", "--timeout=0")

    assert Patch.objects.get().state == State.WAITING


def test_accepted_is_the_end_where_the_key_cannot_read(file: Callable[..., str], project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind="ingest-only")
    given = file(line(1))
    run_command("push_metadata", given, PROJECT)
    Patch.objects.update(state=State.ACCEPTED)

    assert run_command("push_metadata", given, PROJECT, "--wait").endswith("1 accepted.")
