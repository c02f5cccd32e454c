"""The delivery page: what a lead sees of every push, and whom it lets in."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing
from reviewapp.delivery.heartbeat import HeartbeatSender
from reviewapp.delivery.models import Breaker, Heartbeat, Patch, Reason, State
from reviewapp.delivery.patch_filter import PAGE_SIZE
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


def test_it_shows_no_other_projects_rows(lead_client: Client, project: Project, other_project: Project) -> None:
    PatchFactory.create(project=other_project, source="a stranger", state=State.PARKED)
    page = lead_client.get(URL)
    assert "a stranger" not in page.text
    assert page.context["counts"]["parked"] == 0


def test_it_counts_and_filters_by_state(lead_client: Client, project: Project) -> None:
    for state in State:
        PatchFactory.create(project=project, state=state, source=f"from {state}")
    page = lead_client.get(URL, {"state": "parked"})
    assert [patch.state for patch in page.context["found"].rows] == [State.PARKED]
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
    Patch.objects.bulk_create(
        [PatchFactory.build(project=project, state=State.PARKED) for _ in range(2 * PAGE_SIZE + 3)]
    )
    seen: list[int] = []
    before: str | None = ""
    while before is not None:
        page = lead_client.get(URL, {"state": "parked", "before": before})
        seen += [patch.pk for patch in page.context["found"].rows]
        before = page.context["found"].older
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == len(seen) == 2 * PAGE_SIZE + 3


def test_the_link_to_older_ones_keeps_the_filter(lead_client: Client, project: Project) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project, state=State.PARKED) for _ in range(PAGE_SIZE + 1)])
    page = lead_client.get(URL, {"state": "parked"})
    assert f"?state=parked&amp;before={page.context['found'].older}" in page.text


@pytest.mark.parametrize(
    "query", ["state=nonsense", "before=x", "before=-1", f"before={10**30}", "state=%00&before=%00"]
)
def test_a_nonsense_query_shows_the_list(lead_client: Client, project: Project, query: str) -> None:
    PatchFactory.create(project=project)
    assert lead_client.get(f"{URL}?{query}").status_code == 200


def test_it_says_that_a_project_is_held_back_and_why(lead_client: Client, project: Project) -> None:
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, failures=5, open_until=until, reason="Nobody answers.")
    page = lead_client.get(URL)
    assert "Pushing is held back." in page.text
    assert "Nobody answers." in page.text
    assert "the next try is at" in page.text


def test_it_says_that_a_new_key_is_needed(lead_client: Client, project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, open_until=until, refused_key=key.pk, reason="Laminar refused the key.")
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
    Patch.objects.bulk_create([PatchFactory.build(project=project) for _ in range(PAGE_SIZE)])
    with django_assert_max_num_queries(15):
        lead_client.get(URL)


def test_it_goes_back_to_newer_ones_as_it_came(lead_client: Client, project: Project) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project) for _ in range(2 * PAGE_SIZE + 3)])
    first = lead_client.get(URL).context["found"]
    second = lead_client.get(URL, {"before": first.older}).context["found"]
    third = lead_client.get(URL, {"before": second.older}).context["found"]
    assert (first.newer, third.older, len(third.rows)) == (None, None, 3)
    assert lead_client.get(URL, {"after": third.newer}).context["found"].rows == second.rows
    assert lead_client.get(URL, {"after": second.newer}).context["found"] == first


def test_it_finds_those_of_a_trace_in_any_spelling(lead_client: Client, project: Project) -> None:
    patch, _ = (PatchFactory.create(project=project) for _ in range(2))
    page = lead_client.get(URL, {"trace": f"  {patch.trace_id.hex.upper()} "})
    assert page.context["found"].rows == [patch]


def test_it_tells_what_is_no_trace_id(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project)
    page = lead_client.get(URL, {"trace": "order 7"})
    assert "“order 7” is not a trace id" in page.text
    assert page.context["found"].rows == []


def test_it_narrows_parked_ones_by_reason(lead_client: Client, project: Project) -> None:
    one, _ = (
        PatchFactory.create(project=project, state=State.PARKED, reason=reason)
        for reason in (Reason.REFUSED, Reason.GAVE_UP)
    )
    page = lead_client.get(URL, {"state": "parked", "reason": "refused"})
    assert page.context["found"].rows == [one]
    assert [count for _, _, count in page.context["reasons"]] == [1, 1]
    assert "Send all that are parked for this reason again" in page.text


def test_it_counts_and_filters_drifted_ones(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, state=State.CONFIRMED)
    patch = PatchFactory.create(project=project, state=State.CONFIRMED, drifted_at=clock.now())
    page = lead_client.get(URL, {"state": "drifted"})
    assert page.context["found"].rows == [patch]
    assert page.context["drifted"] == 1
    assert "Changed in Laminar since" in page.text


def test_it_tells_how_long_the_oldest_has_waited_and_gone_unconfirmed(lead_client: Client, project: Project) -> None:
    hour = timedelta(hours=1)
    PatchFactory.create(project=project, created_at=clock.now() - 3 * hour)
    PatchFactory.create(project=project, state=State.ACCEPTED, accepted_at=clock.now() - 2 * hour)
    text = lead_client.get(URL).text
    assert "The oldest that waits has waited 3 h." in text
    assert "was accepted 2 h ago." in text


def test_what_was_selected_stays_selected_when_the_rows_refresh(lead_client: Client, project: Project) -> None:
    rows = [PatchFactory.create(project=project, state=State.PARKED) for _ in range(2)]
    part = lead_client.get(URL, {"patch": rows[0].pk}, headers={"HX-Request": "true"})
    assert part.text.count(" checked") == 1
    assert "patch=" not in part.text.partition(">")[0].replace("name=patch", "")


def test_it_tells_how_many_workers_run(lead_client: Client, project: Project) -> None:
    assert "No worker has been seen yet." in lead_client.get(URL).text
    HeartbeatSender().send()
    assert "1 worker runs." in lead_client.get(URL).text
    Heartbeat.objects.update(seen_at=clock.now() - timedelta(seconds=40))
    assert "No worker has been seen for 40 s. What is saved waits safely" in lead_client.get(URL).text


def test_it_shows_the_lag_of_the_last_day_by_hour(lead_client: Client, project: Project) -> None:
    now = clock.now()
    for seconds in (1, 2, 30):
        _confirmed(project, now, seconds)
    _confirmed(project, now - timedelta(hours=5), 4)
    _confirmed(project, now - timedelta(days=2), 99)
    page = lead_client.get(URL)
    hours = page.context["lag"].hours
    assert [(hour.count, hour.p50, hour.p95) for hour in hours] == [(1, 4, 4), (3, 2, 30)]
    assert page.text.count("<rect ") == 4
    assert "95 of 100 took 30 s at most" in page.text


def test_it_shows_no_lag_where_nothing_was_confirmed(lead_client: Client, project: Project) -> None:
    _confirmed(project, clock.now() - timedelta(days=2), 99)
    assert "<svg" not in lead_client.get(URL).text


def test_one_may_try_before_the_hold_ends(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, due_at=clock.now() + timedelta(hours=1), failures=6)
    Breaker.objects.create(project=project, failures=6, open_until=clock.now() + timedelta(minutes=1))
    assert "Try now" in lead_client.get(URL).text
    lead_client.post(f"{URL}try/")
    assert len(leasing.lease(5)) == 1
    assert "Nothing is held back any more." in lead_client.post(f"{URL}try/", follow=True).text


def test_it_leads_an_admin_to_the_keys(admin_client: Client, lead_client: Client, project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, open_until=until, refused_key=key.pk, reason="Laminar refused the key.")
    assert "Give a new key" in admin_client.get(URL).text
    assert "An admin gives a new key, or you" in lead_client.get(URL).text


def _confirmed(project: Project, at: datetime, seconds: int) -> None:
    PatchFactory.create(
        project=project, state=State.CONFIRMED, created_at=at - timedelta(seconds=seconds), confirmed_at=at
    )
