"""A trace is found by its id, in any spelling, from any page."""

from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from tests.factories import TraceFactory

ID = UUID("0199C0DE-0000-4000-8000-00000000ABCD")
URL = f"/p/support/traces/{ID}/"


@pytest.mark.parametrize(
    "text",
    [
        str(ID), str(ID).upper(), ID.hex, ID.hex.upper(), f"{{{ID}}}", f"urn:uuid:{ID}", f"  {ID}\n",
        f"https://laminar.sh/project/{UUID(int=1)}/traces/{ID}?spanId={UUID(int=2)}",
        f"https://laminar.sh/project/{UUID(int=1)}/traces?traceId={str(ID).upper()}&spanId={UUID(int=2)}",
        f"https://desk.test/p/other/traces/{ID.hex}/",
    ],
)  # fmt: skip
def test_it_finds_every_spelling(reviewer_client: Client, project: Project, text: str) -> None:
    TraceFactory.create(project=project, trace_id=ID)
    response = reviewer_client.get("/find/", {"id": text})
    assert (response.status_code, response["Location"]) == (302, URL)


def test_it_prefers_the_project_of_the_page(
    reviewer_client: Client, reviewer: User, project: Project, other_project: Project
) -> None:
    other_project.memberships.create(user=reviewer, role="reviewer")
    for each in (project, other_project):
        TraceFactory.create(project=each, trace_id=ID)
    assert reviewer_client.get("/find/", {"id": ID.hex, "project": "support"})["Location"] == URL
    assert reviewer_client.get("/find/", {"id": ID.hex})["Location"].startswith("/p/elsewhere/")


def test_it_hides_traces_of_other_projects(reviewer_client: Client, other_project: Project) -> None:
    TraceFactory.create(project=other_project, trace_id=ID)
    page = reviewer_client.get("/find/", {"id": str(ID)})
    assert page.status_code == 404
    assert "No project of yours has the trace" in page.text


@pytest.mark.parametrize("text", ["x", "\x00", "<b>", "1" * 5_000, "https://laminar.sh/traces/zz", "\u202e"])
def test_it_refuses_what_is_no_id_and_keeps_it(reviewer_client: Client, project: Project, text: str) -> None:
    page = reviewer_client.get("/find/", {"id": text})
    assert page.status_code in (400, 422)
    assert "<b>" not in page.text.replace("<b>reviewer</b>", "")


def test_it_asks_for_an_id(reviewer_client: Client, project: Project) -> None:
    assert reviewer_client.get("/find/").status_code == 200
