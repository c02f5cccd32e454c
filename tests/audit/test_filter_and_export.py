"""The audit log is filtered and exported; the export is recorded."""

from datetime import timedelta

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.audit.recording import record
from reviewapp.lib import clock

URL = "/p/support/audit/"


@pytest.fixture
def log(project: Project, lead: User) -> Project:
    record(project, lead, "made queue", "queue:answers")
    record(project, "token:ci", "added items", "queue:answers", count=3)
    record(project, "token:ci", "saved patches", "=HYPERLINK(1)")
    return project


FILTERS = {
    "actor=token:ci": [2, 3], "action=made+queue": [1], "target=queue:": [1, 2], "actor=lead&action=added+items": [],
    "since={today}": [1, 2, 3], "until={yesterday}": [], "since={today}&until={today}": [1, 2, 3],
    "since=yesterday": [], "actor=%00": [], "since=9999-12-31": [], "until=0001-01-01": [],
}  # fmt: skip


@pytest.mark.parametrize("query", FILTERS)
def test_it_filters_events(log: Project, admin_client: Client, query: str) -> None:
    days = {"today": clock.now().date(), "yesterday": clock.now().date() - timedelta(days=1)}
    response = admin_client.get(f"{URL}?{query.format(**days)}")

    assert response.status_code == 200
    assert [event.seq for event in reversed(response.context["events"])] == FILTERS[query]


def test_it_explains_a_day_that_is_none(log: Project, admin_client: Client) -> None:
    content = admin_client.get(URL, {"since": "31.12.2026"}).text

    assert "“31.12.2026” is not a day" in content
    assert 'value="31.12.2026"' in content


def test_it_exports_what_the_filter_shows(log: Project, admin_client: Client) -> None:
    response = admin_client.get(f"{URL}export.csv", {"actor": "token:ci"})
    lines = response.getvalue().decode().splitlines()

    assert lines[0] == "event,time,actor,action,target,details,digest,seal"
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "3"]
    assert "'=HYPERLINK(1)" in lines[2]
    assert response["Cache-Control"] == "no-store, private"


def test_it_records_the_export(log: Project, admin_client: Client) -> None:
    admin_client.get(f"{URL}export.csv", {"actor": "token:ci"})
    event = AuditEvent.objects.latest("seq")

    assert (event.actor_name, event.verb, event.detail) == (
        "admin",
        "exported audit log",
        '{"filter":{"actor":"token:ci"}}',
    )


@pytest.mark.parametrize(
    ("path", "verb"),
    [
        ("traces/export.csv", "exported traces"),
        ("traces/export.jsonl?m=score=1", "exported traces"),
        ("queues/answers/reviews.csv", "exported reviews"),
    ],
)
def test_it_records_other_exports(queue: object, lead_client: Client, path: str, verb: str) -> None:
    assert lead_client.get(f"/p/support/{path}").status_code == 200

    assert AuditEvent.objects.get().verb == verb
