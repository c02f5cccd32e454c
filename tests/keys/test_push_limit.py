"""The push limit on the Keys page."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent

URL = "/p/support/keys/push-limit/"


def test_it_sets_a_limit_and_records_it(project: Project, admin_client: Client) -> None:
    admin_client.post(URL, {"push_limit": "25"})
    assert Project.objects.get(pk=project.pk).push_limit == 25
    assert AuditEvent.objects.filter(verb="changed project", detail__contains='"push_limit":25').exists()
    assert 'value="25"' in admin_client.get("/p/support/keys/").text


def test_it_removes_a_limit(project: Project, admin_client: Client) -> None:
    Project.objects.filter(pk=project.pk).update(push_limit=25)
    admin_client.post(URL, {"push_limit": " "})
    assert Project.objects.get(pk=project.pk).push_limit is None


@pytest.mark.parametrize("typed", ["0", "-1", "1.5", "ten", "10001", "1e3", "\u0663"])
def test_it_refuses_an_invalid_limit(project: Project, admin_client: Client, typed: str) -> None:
    response = admin_client.post(URL, {"push_limit": typed})
    assert (response.status_code, Project.objects.get(pk=project.pk).push_limit) == (422, None)
    assert f'value="{typed}"' in response.text


def test_it_refuses_a_lead(project: Project, lead_client: Client) -> None:
    assert lead_client.post(URL, {"push_limit": "25"}).status_code == 403
