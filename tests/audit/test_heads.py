"""Exported heads show that a log was cut off, and are exported by the worker."""

import json
import stat
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from reviewapp.accounts.models import Project
from reviewapp.audit import heads
from reviewapp.audit.models import AuditEvent, AuditHead
from reviewapp.audit.recording import record
from tests.commands.runner import run_command, run_command_json
from tests.factories import ProjectFactory


@pytest.fixture
def file(tmp_path: Path, settings: Settings) -> Path:
    settings.AUDIT_HEADS_FILE = tmp_path / "heads" / "audit_heads.jsonl"
    return settings.AUDIT_HEADS_FILE


@pytest.fixture
def log(project: Project) -> Project:
    for number in range(3):
        record(project, "command", "counted", f"number:{number}")
    return project


def cut_off(project: Project, seq: int) -> None:
    """Truncate the log and its head, so that the chain is intact."""
    AuditEvent.objects.filter(project=project, seq__gt=seq).delete()
    digest = AuditEvent.objects.get(project=project, seq=seq).digest
    AuditHead.objects.filter(project=project).update(seq=seq, digest=digest)


def test_it_exports_new_heads_only(log: Project, file: Path, settings: Settings) -> None:
    settings.AUDIT_EXPORT_SECONDS = 0
    exporter = heads.HeadExporter()
    exporter.run()
    exporter.run()
    record(log, "command", "counted", "again")
    exporter.run()

    assert [json.loads(line)["seq"] for line in file.read_text().splitlines()] == [3, 4]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_exports_once_an_hour(log: Project, file: Path) -> None:
    exporter = heads.HeadExporter()
    exporter.run()
    record(log, "command", "counted", "again")
    exporter.run()

    assert len(file.read_text().splitlines()) == 1


def test_it_writes_heads_to_the_log(log: Project, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    heads.HeadExporter().run()

    assert f"project support: event 3, digest {AuditHead.objects.get().digest}" in caplog.text


def test_it_finds_a_log_that_was_cut_off(log: Project, file: Path) -> None:
    heads.HeadExporter().run()
    assert run_command("verify_audit", "--head", str(file)) == "support: intact"
    cut_off(log, 2)

    assert run_command("verify_audit") == "support: intact"
    with pytest.raises(Exception, match="1 audit log cannot be trusted"):
        run_command("verify_audit", "--head", str(file))


def test_it_finds_another_event_in_its_place(log: Project) -> None:
    head = heads.make_head(log)
    cut_off(log, 2)
    record(log, "command", "counted", "something else")

    assert "Event 3 is another one" in heads.find_problem(head)


def test_it_finds_a_changed_head(log: Project) -> None:
    line = heads.make_head(log).to_line().replace('"seq": 3', '"seq": 2')
    (head,), _ = heads.parse_heads([line])

    assert "was changed after its export" in heads.find_problem(head)


def test_it_finds_a_deleted_project(log: Project) -> None:
    head = heads.make_head(log)
    log.delete()

    assert "The project was deleted" in heads.find_problem(head)


def test_it_names_a_head_of_another_key(log: Project, settings: Settings) -> None:
    head = heads.make_head(log)
    settings.AUDIT_KEY = "another key that seals audit logs"

    assert "another AUDIT_KEY" in heads.find_problem(head)


@pytest.mark.parametrize("text", ["", "x", "{}", "[]", "1", '{"seq": 1}', "[" * 100_000, '"\ud800"', "\x00"])
def test_it_refuses_a_file_without_heads(project: Project, tmp_path: Path, text: str) -> None:
    file = tmp_path / "heads"
    file.write_text(text, errors="surrogatepass")
    with pytest.raises(Exception, match="file of heads cannot be read"):
        run_command("verify_audit", "--head", str(file))


def test_it_verifies_every_project(log: Project) -> None:
    other = ProjectFactory.create(slug="elsewhere")
    record(other, "command", "counted", "there")

    assert run_command_json("verify_audit") == {"elsewhere": [], "support": []}
    assert run_command_json("verify_audit", "--project", "support") == {"support": []}


def test_it_downloads_the_head(log: Project, admin_client: Client) -> None:
    response = admin_client.get("/p/support/audit/head.jsonl")
    (head,), _ = heads.parse_heads([response.content.decode()])

    assert (head.seq, heads.find_problem(head)) == (4, "")
    assert AuditEvent.objects.latest("seq").verb == "exported audit head"


def test_it_verifies_exported_heads_on_the_page(log: Project, file: Path, admin_client: Client) -> None:
    heads.HeadExporter().run()
    assert "the newest at event 3" in admin_client.get("/p/support/audit/?verify").text
    cut_off(log, 2)

    assert "the log was cut off" in admin_client.get("/p/support/audit/?verify").text
