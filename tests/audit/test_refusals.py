"""Refused requests are recorded, one event for many."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent, RefusedAccess
from reviewapp.audit.refusals import record_refusals
from reviewapp.lib import clock


def record_later() -> None:
    """Run the worker's step two minutes from now."""
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        record_refusals()


def test_it_records_a_role_that_is_too_low(project: Project, reviewer_client: Client) -> None:
    for _ in range(3):
        assert reviewer_client.get("/p/support/audit/").status_code == 403
    record_refusals()
    assert not AuditEvent.objects.exists()
    record_later()
    event = AuditEvent.objects.get()

    assert (event.actor_name, event.verb, event.target) == ("reviewer", "was refused access", "audit:event-list")
    assert (json.loads(event.detail)["count"], json.loads(event.detail)["status"]) == (3, 403)
    assert not RefusedAccess.objects.exists()


def test_it_records_an_outsider(project: Project, outsider_client: Client) -> None:
    assert outsider_client.get("/p/support/").status_code == 404
    record_later()

    assert [(event.project, event.actor_name) for event in AuditEvent.objects.all()] == [(project, "outsider")]


def test_it_does_the_same_for_a_project_that_does_not_exist(outsider_client: Client) -> None:
    assert outsider_client.get("/p/no-such/").status_code == 404
    assert RefusedAccess.objects.get().slug == "no-such"
    record_later()

    assert not AuditEvent.objects.exists()
    assert not RefusedAccess.objects.exists()


@pytest.mark.parametrize("path", ["/p/support/queues/none/", "/p/support/items/99/", "/nothing/", f"/p/{'x' * 100}/"])
def test_it_leaves_out_other_refusals(project: Project, lead_client: Client, path: str) -> None:
    assert lead_client.get(path).status_code == 404

    assert not RefusedAccess.objects.exists()


def test_it_leaves_out_strangers(project: Project, client: Client) -> None:
    assert client.get("/p/support/audit/").status_code == 302

    assert not RefusedAccess.objects.exists()
