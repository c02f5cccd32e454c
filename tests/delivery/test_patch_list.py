"""The delivery page: what a lead sees of every push, and whom it lets in."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Breaker, Patch, Reason, State
from reviewapp.delivery.views import PAGE
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import clock
from tests.factories import LaminarKeyFactory, PatchFactory

URL = "/p/support/deliveries/"


def test_it_works(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, source="review by ana")
    page = lead_client.get(URL)
    assert page.status_code == 200
    assert "review by ana" in page.text
    assert reverse("delivery:patch-page", args=["support", patch.pk]) in page.text


def test_a_reviewer_is_told_it_is_not_theirs(reviewer_client: Client) -> None:
    assert reviewer_client.get(URL).status_code == 403


def test_it_is_not_there_for_an_outsider(outsider_client: Client) -> None:
    assert outsider_client.get(URL).status_code == 404


def test_it_asks_nobody_to_sign_in(client: Client, project: Project) -> None:
    assert client.get(URL)["Location"].startswith("/accounts/login/")


def test_it_shows_no_other_projects_rows(lead_client: Client, project: Project, elsewhere: Project) -> None:
    PatchFactory.create(project=elsewhere, source="a stranger", state=State.PARKED)
    page = lead_client.get(URL)
    assert "a stranger" not in page.text
    assert page.context["counts"]["parked"] == 0


def test_it_counts_and_filters_by_state(lead_client: Client, project: Project) -> None:
    for state in State:
        PatchFactory.create(project=project, state=state, source=f"from {state}")
    page = lead_client.get(URL, {"state": "parked"})
    assert [patch.state for patch in page.context["patches"]] == [State.PARKED]
    assert page.context["counts"] == dict.fromkeys(State.values, 1)


def test_it_tells_why_one_is_parked(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, state=State.PARKED, reason=Reason.REFUSED, last_error="Laminar said no.")
    page = lead_client.get(URL)
    assert "Laminar refused it." in page.text
    assert "Laminar said no." in page.text


def test_it_says_when_nothing_is_there(lead_client: Client) -> None:
    assert "Nothing has been pushed yet." in lead_client.get(URL).text
    assert "No delivery is parked." in lead_client.get(URL, {"state": "parked"}).text


def test_every_row_stands_on_one_page(lead_client: Client, project: Project) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project, state=State.PARKED) for _ in range(2 * PAGE + 3)])
    seen: list[int] = []
    before: str | None = ""
    while before is not None:
        page = lead_client.get(URL, {"state": "parked", "before": before})
        seen += [patch.pk for patch in page.context["patches"]]
        before = page.context["older"]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == len(seen) == 2 * PAGE + 3


def test_the_link_to_older_ones_keeps_the_filter(lead_client: Client, project: Project) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project, state=State.PARKED) for _ in range(PAGE + 1)])
    page = lead_client.get(URL, {"state": "parked"})
    assert f"?state=parked&amp;before={page.context['older']}" in page.text


@pytest.mark.parametrize(
    "query", ["state=nonsense", "before=x", "before=-1", f"before={10**30}", "state=%00&before=%00"]
)
def test_a_nonsense_query_shows_the_list(lead_client: Client, project: Project, query: str) -> None:
    PatchFactory.create(project=project)
    assert lead_client.get(f"{URL}?{query}").status_code == 200


def test_it_says_that_a_project_is_held_back_and_why(lead_client: Client, project: Project) -> None:
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, failures=5, held_until=until, reason="Nobody answers.")
    page = lead_client.get(URL)
    assert "Pushing is held back." in page.text
    assert "Nobody answers." in page.text
    assert "the next try is at" in page.text


def test_it_says_that_a_new_key_is_needed(lead_client: Client, project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, held_until=until, refused_key=key.pk, reason="Laminar refused the key.")
    assert "at once when a new key is in use" in lead_client.get(URL).text


def test_it_says_that_an_ingest_only_key_cannot_confirm(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind=LaminarKey.Kind.INGEST_ONLY)
    assert "ingest-only" in lead_client.get(URL).text


def test_a_full_key_gives_no_notice(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project)
    assert "ingest-only" not in lead_client.get(URL).text


def test_it_refreshes_the_rows_alone(lead_client: Client, project: Project) -> None:
    part = lead_client.get(URL, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="patches"')


def test_what_laminar_said_is_shown_as_text(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, last_error="<script>alert(1)</script>", source="<b>x</b>")
    page = lead_client.get(URL)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_its_queries_do_not_grow_with_rows(
    lead_client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project) for _ in range(PAGE)])
    with django_assert_max_num_queries(9):
        lead_client.get(URL)
