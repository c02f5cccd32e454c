"""Views under a name: kept for oneself or the project, counted on the home page, changed by those who may."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.traces.filters import saved_views
from reviewapp.traces.models import SavedView
from tests.factories import TraceFactory
from tests.queries import count_queries

URL = "/p/support/traces/"
SAVE = f"{URL}views/save/"


def saved(client: Client, name: str = "flagged", **more: str) -> int:
    return client.post(SAVE, {"name": name, "query": "m=a%3D1&c=b&sort=-cost", **more}).status_code


@pytest.fixture
def ours(project: Project) -> SavedView:
    """A view of the project."""
    return SavedView.objects.create(project=project, name="ours", query="m=a%3D1", on_home=True, made_by="lead")


def test_it_is_saved_for_oneself(reviewer_client: Client, colleague_client: Client, reviewer: User) -> None:
    answer = reviewer_client.post(SAVE, {"name": "  my\n view ", "query": "sort=-cost&m=a%3D1&sort=nonsense&c=b"})
    view = SavedView.objects.get()
    assert (view.name, view.owner, view.query, view.on_home) == ("my view", reviewer, "m=a%3D1&c=b", False)
    assert answer["Location"] == f"{URL}?m=a%3D1&c=b"
    assert "my view" in reviewer_client.get(URL).text
    assert "my view" not in colleague_client.get(URL).text
    assert not AuditEvent.objects.exists()


def test_a_lead_saves_one_for_the_project(lead_client: Client, reviewer_client: Client) -> None:
    assert saved(lead_client, **{"for": "project"}) == 302
    assert SavedView.objects.get().owner is None
    assert AuditEvent.objects.get().verb == "saved view"
    assert ">flagged</a>" in reviewer_client.get(URL).text


def test_a_reviewer_keeps_none_of_the_projects(reviewer_client: Client, ours: SavedView) -> None:
    assert saved(reviewer_client, **{"for": "project"}) == 403
    for act in ("change", "delete"):
        assert reviewer_client.post(f"{URL}views/{ours.pk}/{act}/", {"name": "mine"}).status_code == 403
    assert [view.name for view in SavedView.objects.all()] == ["ours"]
    assert "Rename or delete" not in reviewer_client.get(URL, {"m": "a=1"}).text


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\x00b", "\u202e"])
def test_it_refuses_a_name_that_is_none(reviewer_client: Client, project: Project, name: str) -> None:
    page = reviewer_client.post(SAVE, {"name": name, "query": "m=a%3D1"})
    assert page.status_code == 422
    assert page.context["refused"].endswith(".")
    assert f'href="{URL}?"' in page.text
    assert not SavedView.objects.exists()


def test_it_refuses_a_second_of_the_name_and_replaces_it_if_that_is_meant(reviewer_client: Client) -> None:
    assert [saved(reviewer_client), saved(reviewer_client)] == [302, 422]
    answer = reviewer_client.post(SAVE, {"name": "flagged", "query": "m=b%3D2", "replaces": "on"})
    assert answer.status_code == 302
    assert SavedView.objects.get().query == "m=b%3D2"


def test_the_same_name_may_be_anothers_and_the_projects(
    reviewer_client: Client, colleague_client: Client, lead_client: Client
) -> None:
    assert [saved(reviewer_client), saved(colleague_client), saved(lead_client, **{"for": "project"})] == [302] * 3


def test_it_refuses_what_is_no_view(reviewer_client: Client, project: Project) -> None:
    assert reviewer_client.post(SAVE, {"name": "x", "query": "m=a"}).status_code == 422
    assert not SavedView.objects.exists()


def test_it_refuses_more_than_anybody_looks_at(reviewer_client: Client, reviewer: User, project: Project) -> None:
    SavedView.objects.bulk_create(
        SavedView(project=project, owner=reviewer, name=f"v{n}", made_by="reviewer")
        for n in range(saved_views.MAX_VIEWS)
    )
    assert saved(reviewer_client) == 422
    assert saved(reviewer_client, replaces="on") == 422
    assert saved(reviewer_client, "v1", replaces="on") == 302
    assert SavedView.objects.count() == saved_views.MAX_VIEWS


def test_it_is_renamed_and_put_on_the_home_page(lead_client: Client, ours: SavedView) -> None:
    answer = lead_client.post(f"{URL}views/{ours.pk}/change/", {"name": "All", "on_home": "on"})
    assert answer["Location"] == f"{URL}?m=a%3D1"
    ours.refresh_from_db()
    assert (ours.name, ours.on_home) == ("All", True)
    assert AuditEvent.objects.get().verb == "changed view"


def test_it_refuses_another_views_name(lead_client: Client, ours: SavedView, project: Project) -> None:
    SavedView.objects.create(project=project, name="taken", made_by="lead")
    page = lead_client.post(f"{URL}views/{ours.pk}/change/", {"name": "taken"})
    assert page.status_code == 422
    assert 'value="taken"' in page.text
    ours.refresh_from_db()
    assert ours.name == "ours"


def test_one_that_was_deleted_meanwhile_is_told(lead_client: Client, lead: User, ours: SavedView) -> None:
    assert lead_client.post(f"{URL}views/{ours.pk}/delete/")["Location"] == f"{URL}?m=a%3D1"
    assert AuditEvent.objects.get().verb == "deleted view"
    for act in ("", "change/", "delete/"):
        assert lead_client.post(f"{URL}views/{ours.pk}/{act}").status_code in {404, 405}
    assert lead_client.get(f"{URL}views/{ours.pk}/").status_code == 404
    with pytest.raises(saved_views.SavedViewError):
        saved_views.change(ours, lead, name="again", on_home=False)


def test_anothers_own_is_not_there(reviewer: User, admin_client: Client, project: Project) -> None:
    view = SavedView.objects.create(project=project, owner=reviewer, name="mine", made_by="reviewer", on_home=True)
    assert admin_client.get(f"{URL}views/{view.pk}/").status_code == 404
    assert admin_client.post(f"{URL}views/{view.pk}/delete/").status_code == 404
    assert "mine" not in admin_client.get(f"{URL}views/").text


def test_its_address_leads_to_what_it_shows(reviewer_client: Client, ours: SavedView) -> None:
    assert reviewer_client.get(f"{URL}views/{ours.pk}/")["Location"] == f"{URL}?m=a%3D1"


def test_the_home_page_has_it_with_its_count(reviewer_client: Client, ours: SavedView, project: Project) -> None:
    TraceFactory.create(project=project, metadata='{"a":1}')
    SavedView.objects.create(project=project, name="elsewhere", made_by="lead")
    home = reviewer_client.get("/p/support/").text
    assert f'hx-get="{URL}views/"' in home
    assert ">ours</a>" in home
    part = reviewer_client.get(f"{URL}views/", headers={"HX-Request": "true"}).text
    assert '<td class="num">1</td>' in part
    assert "elsewhere" not in part


def test_the_list_asks_no_more_for_more_views(reviewer_client: Client, project: Project) -> None:
    before = count_queries(lambda: reviewer_client.get(URL))
    SavedView.objects.bulk_create(SavedView(project=project, name=f"v{n}", made_by="lead") for n in range(20))
    assert count_queries(lambda: reviewer_client.get(URL)) == before
