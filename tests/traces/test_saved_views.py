"""Saved views: of a person or the project, on the home page with counts, changed only with permission."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.filters import saved_views
from tests.factories import TraceFactory
from tests.queries import count_queries

URL = "/p/support/traces/"
SAVE = f"{URL}views/save/"


def save_view(client: Client, name: str = "flagged", **more: str) -> int:
    return client.post(SAVE, {"name": name, "query": "m=a%3D1&c=b&sort=-cost", **more}).status_code


@pytest.fixture
def project_view(project: Project) -> SavedView:
    """A view of the project."""
    return SavedView.objects.create(project=project, name="ours", query="m=a%3D1", on_home=True, made_by="lead")


def test_it_saves_a_view_for_the_user(reviewer_client: Client, colleague_client: Client, reviewer: User) -> None:
    response = reviewer_client.post(SAVE, {"name": "  my\n view ", "query": "sort=-cost&m=a%3D1&sort=nonsense&c=b"})
    view = SavedView.objects.get()
    assert (view.name, view.owner, view.query, view.on_home) == ("my view", reviewer, "m=a%3D1&c=b", False)
    assert response["Location"] == f"{URL}?m=a%3D1&c=b"
    assert "my view" in reviewer_client.get(URL).text
    assert "my view" not in colleague_client.get(URL).text
    assert not AuditEvent.objects.exists()


def test_it_saves_a_view_for_the_project(lead_client: Client, reviewer_client: Client) -> None:
    assert save_view(lead_client, **{"for": "project"}) == 302
    assert SavedView.objects.get().owner is None
    assert AuditEvent.objects.get().verb == "saved view"
    assert ">flagged</a>" in reviewer_client.get(URL).text


def test_it_refuses_a_reviewer_who_changes_the_projects_views(reviewer_client: Client, project_view: SavedView) -> None:
    assert save_view(reviewer_client, **{"for": "project"}) == 403
    for action in ("change", "delete"):
        assert reviewer_client.post(f"{URL}views/{project_view.pk}/{action}/", {"name": "mine"}).status_code == 403
    assert [view.name for view in SavedView.objects.all()] == ["ours"]
    assert "Rename or delete" not in reviewer_client.get(URL, {"m": "a=1"}).text


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\x00b", "\u202e"])
def test_it_refuses_an_invalid_name(reviewer_client: Client, project: Project, name: str) -> None:
    page = reviewer_client.post(SAVE, {"name": name, "query": "m=a%3D1"})
    assert page.status_code == 422
    assert page.context["save_error"].endswith(".")
    assert f'href="{URL}?"' in page.text
    assert not SavedView.objects.exists()


def test_it_refuses_a_duplicate_name_unless_it_replaces(reviewer_client: Client) -> None:
    assert [save_view(reviewer_client), save_view(reviewer_client)] == [302, 422]
    response = reviewer_client.post(SAVE, {"name": "flagged", "query": "m=b%3D2", "replaces": "on"})
    assert response.status_code == 302
    assert SavedView.objects.get().query == "m=b%3D2"


def test_it_accepts_the_same_name_for_different_owners(
    reviewer_client: Client, colleague_client: Client, lead_client: Client
) -> None:
    assert [save_view(reviewer_client), save_view(colleague_client), save_view(lead_client, **{"for": "project"})] == [
        302
    ] * 3


def test_it_refuses_an_invalid_query(reviewer_client: Client, project: Project) -> None:
    assert reviewer_client.post(SAVE, {"name": "x", "query": "m=a"}).status_code == 422
    assert not SavedView.objects.exists()


def test_it_refuses_too_many_views(reviewer_client: Client, reviewer: User, project: Project) -> None:
    SavedView.objects.bulk_create(
        SavedView(project=project, owner=reviewer, name=f"v{n}", made_by="reviewer")
        for n in range(saved_views.MAX_VIEWS)
    )
    assert save_view(reviewer_client) == 422
    assert save_view(reviewer_client, replaces="on") == 422
    assert save_view(reviewer_client, "v1", replaces="on") == 302
    assert SavedView.objects.count() == saved_views.MAX_VIEWS


def test_it_renames_a_view_and_puts_it_on_the_home_page(lead_client: Client, project_view: SavedView) -> None:
    response = lead_client.post(f"{URL}views/{project_view.pk}/change/", {"name": "All", "on_home": "on"})
    assert response["Location"] == f"{URL}?m=a%3D1"
    project_view.refresh_from_db()
    assert (project_view.name, project_view.on_home) == ("All", True)
    assert AuditEvent.objects.get().verb == "changed view"


def test_it_refuses_the_name_of_another_view(lead_client: Client, project_view: SavedView, project: Project) -> None:
    SavedView.objects.create(project=project, name="taken", made_by="lead")
    page = lead_client.post(f"{URL}views/{project_view.pk}/change/", {"name": "taken"})
    assert page.status_code == 422
    assert 'value="taken"' in page.text
    project_view.refresh_from_db()
    assert project_view.name == "ours"


def test_it_refuses_a_deleted_view(lead_client: Client, lead: User, project_view: SavedView) -> None:
    assert lead_client.post(f"{URL}views/{project_view.pk}/delete/")["Location"] == f"{URL}?m=a%3D1"
    assert AuditEvent.objects.get().verb == "deleted view"
    for action in ("", "change/", "delete/"):
        assert lead_client.post(f"{URL}views/{project_view.pk}/{action}").status_code in {404, 405}
    assert lead_client.get(f"{URL}views/{project_view.pk}/").status_code == 404
    with pytest.raises(saved_views.SavedViewError):
        saved_views.change(project_view, lead, name="again", on_home=False)


def test_it_hides_views_of_other_people(reviewer: User, admin_client: Client, project: Project) -> None:
    view = SavedView.objects.create(project=project, owner=reviewer, name="mine", made_by="reviewer", on_home=True)
    assert admin_client.get(f"{URL}views/{view.pk}/").status_code == 404
    assert admin_client.post(f"{URL}views/{view.pk}/delete/").status_code == 404
    assert "mine" not in admin_client.get(f"{URL}views/").text


def test_it_redirects_to_the_filter_of_a_view(reviewer_client: Client, project_view: SavedView) -> None:
    assert reviewer_client.get(f"{URL}views/{project_view.pk}/")["Location"] == f"{URL}?m=a%3D1"


def test_it_shows_a_view_with_its_count_on_the_home_page(
    reviewer_client: Client, project_view: SavedView, project: Project
) -> None:
    TraceFactory.create(project=project, metadata='{"a":1}')
    SavedView.objects.create(project=project, name="elsewhere", made_by="lead")
    home = reviewer_client.get("/p/support/").text
    assert f'hx-get="{URL}views/"' in home
    assert ">ours</a>" in home
    fragment = reviewer_client.get(f"{URL}views/", headers={"HX-Request": "true"}).text
    assert '<td class="num">1</td>' in fragment
    assert "elsewhere" not in fragment


def test_it_runs_the_same_queries_for_more_views(reviewer_client: Client, project: Project) -> None:
    before = count_queries(lambda: reviewer_client.get(URL))
    SavedView.objects.bulk_create(SavedView(project=project, name=f"v{n}", made_by="lead") for n in range(20))
    assert count_queries(lambda: reviewer_client.get(URL)) == before


def test_it_counts_the_others_beside_a_view_that_is_no_longer_valid(
    reviewer_client: Client, project: Project, project_view: SavedView
) -> None:
    SavedView.objects.create(project=project, name="broken", query="m=no-pair", made_by="lead")
    TraceFactory.create(project=project, metadata='{"a":1}')
    rows = reviewer_client.get(f"{URL}views/").context["rows"]
    assert {view.name: count for view, count in rows} == {"ours": 1, "broken": None}


def test_it_refuses_a_name_that_looks_like_another_views(reviewer_client: Client) -> None:
    save_view(reviewer_client, name="Answers")

    for name in ("ANSWERS", "Аnswers", "Ａnswers"):
        assert reviewer_client.post(SAVE, {"name": name}).status_code == 422
    assert SavedView.objects.count() == 1


def test_it_accepts_an_emoji_of_several_characters(reviewer_client: Client) -> None:
    assert save_view(reviewer_client, name="👨\u200d👩\u200d👧") == 302
