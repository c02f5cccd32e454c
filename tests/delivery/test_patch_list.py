"""The list of deliveries: what a lead sees of every push, and who has access."""

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


def test_it_refuses_a_reviewer(reviewer_client: Client) -> None:
    assert reviewer_client.get(URL).status_code == 403


def test_it_refuses_an_outsider(outsider_client: Client) -> None:
    assert outsider_client.get(URL).status_code == 404


def test_it_refuses_an_anonymous_user(client: Client, project: Project) -> None:
    assert client.get(URL)["Location"].startswith("/accounts/login/")


def test_it_shows_no_patches_of_another_project(lead_client: Client, project: Project, other_project: Project) -> None:
    PatchFactory.create(project=other_project, source="a stranger", state=State.PARKED)
    page = lead_client.get(URL)
    assert "a stranger" not in page.text
    assert page.context["counts"]["parked"] == 0


def test_it_counts_and_filters_by_state(lead_client: Client, project: Project) -> None:
    for state in State:
        PatchFactory.create(project=project, state=state, source=f"from {state}")
    page = lead_client.get(URL, {"state": "parked"})
    assert [patch.state for patch in page.context["page"].rows] == [State.PARKED]
    assert page.context["counts"] == dict.fromkeys(State.values, 1)


def test_it_shows_why_a_patch_is_parked(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, state=State.PARKED, reason=Reason.REFUSED, last_error="Laminar said no.")
    page = lead_client.get(URL)
    assert "Laminar refused it." in page.text
    assert "Laminar said no." in page.text


def test_it_shows_an_empty_list(lead_client: Client) -> None:
    assert "Nothing has been pushed yet." in lead_client.get(URL).text
    assert "No parked deliveries." in " ".join(lead_client.get(URL, {"state": "parked"}).text.split())


def test_it_shows_every_patch_on_one_page(lead_client: Client, project: Project) -> None:
    Patch.objects.bulk_create(
        [PatchFactory.build(project=project, state=State.PARKED) for _ in range(2 * PAGE_SIZE + 3)]
    )
    pks: list[int] = []
    before: str | None = ""
    while before is not None:
        page = lead_client.get(URL, {"state": "parked", "before": before})
        pks += [patch.pk for patch in page.context["page"].rows]
        before = page.context["page"].older
    assert pks == sorted(pks, reverse=True)
    assert len(set(pks)) == len(pks) == 2 * PAGE_SIZE + 3


def test_it_keeps_the_filter_in_the_older_link(lead_client: Client, project: Project) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project, state=State.PARKED) for _ in range(PAGE_SIZE + 1)])
    page = lead_client.get(URL, {"state": "parked"})
    assert f"?state=parked&amp;before={page.context['page'].older}" in page.text


@pytest.mark.parametrize(
    "query", ["state=nonsense", "before=x", "before=-1", f"before={10**30}", "state=%00&before=%00"]
)
def test_it_ignores_an_invalid_query(lead_client: Client, project: Project, query: str) -> None:
    PatchFactory.create(project=project)
    assert lead_client.get(f"{URL}?{query}").status_code == 200


def test_it_shows_why_pushing_has_stopped(lead_client: Client, project: Project) -> None:
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, failures=5, open_until=until, reason="Nobody answers.")
    page = lead_client.get(URL)
    assert "Pushing has stopped for now." in page.text
    assert "Nobody answers." in page.text
    assert "The next attempt is at" in page.text


def test_it_shows_that_a_new_key_is_needed(lead_client: Client, project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, open_until=until, refused_key=key.pk, reason="Laminar refused the key.")
    assert "as soon as a new key is in use" in lead_client.get(URL).text


def test_it_shows_that_an_ingest_only_key_cannot_confirm(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project, kind=LaminarKey.Kind.INGEST_ONLY)
    assert "ingest-only" in lead_client.get(URL).text


def test_it_shows_no_notice_for_a_full_key(lead_client: Client, project: Project) -> None:
    LaminarKeyFactory.create(project=project)
    assert "ingest-only" not in lead_client.get(URL).text


def test_it_renders_only_the_rows_for_a_refresh(lead_client: Client, project: Project) -> None:
    fragment = lead_client.get(URL, headers={"HX-Request": "true"})
    assert fragment.text.lstrip().startswith('<div id="patches"')


def test_it_escapes_errors_and_sources(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, last_error="<script>alert(1)</script>", source="<b>x</b>")
    page = lead_client.get(URL)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_it_needs_a_constant_number_of_queries(
    lead_client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project) for _ in range(PAGE_SIZE)])
    with django_assert_max_num_queries(15):
        lead_client.get(URL)


def test_it_shows_the_same_pages_going_back(lead_client: Client, project: Project) -> None:
    Patch.objects.bulk_create([PatchFactory.build(project=project) for _ in range(2 * PAGE_SIZE + 3)])
    first = lead_client.get(URL).context["page"]
    second = lead_client.get(URL, {"before": first.older}).context["page"]
    third = lead_client.get(URL, {"before": second.older}).context["page"]
    assert (first.newer, third.older, len(third.rows)) == (None, None, 3)
    assert lead_client.get(URL, {"after": third.newer}).context["page"].rows == second.rows
    assert lead_client.get(URL, {"after": second.newer}).context["page"] == first


def test_it_filters_by_a_trace_id_in_any_spelling(lead_client: Client, project: Project) -> None:
    patch, _ = (PatchFactory.create(project=project) for _ in range(2))
    page = lead_client.get(URL, {"trace": f"  {patch.trace_id.hex.upper()} "})
    assert page.context["page"].rows == [patch]


def test_it_refuses_an_invalid_trace_id(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project)
    page = lead_client.get(URL, {"trace": "order 7"})
    assert "“order 7” is not a trace id" in page.text
    assert page.context["page"].rows == []


def test_it_keeps_a_trace_id_that_is_too_long(lead_client: Client) -> None:
    text = f"{'7' * 80} 1"
    page = lead_client.get(URL, {"trace": text}).text
    assert f'value="{text}"' in page
    assert f"“{'7' * 59}…” is not a trace id" in page


def test_it_filters_parked_patches_by_reason(lead_client: Client, project: Project) -> None:
    refused, _ = (
        PatchFactory.create(project=project, state=State.PARKED, reason=reason)
        for reason in (Reason.REFUSED, Reason.GAVE_UP)
    )
    page = lead_client.get(URL, {"state": "parked", "reason": "refused"})
    assert page.context["page"].rows == [refused]
    assert [count for _, _, count in page.context["reasons"]] == [1, 1]
    assert "Retry all parked for this reason" in page.text


def test_it_counts_and_filters_drifted_patches(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, state=State.CONFIRMED)
    patch = PatchFactory.create(project=project, state=State.CONFIRMED, drifted_at=clock.now())
    page = lead_client.get(URL, {"state": "drifted"})
    assert page.context["page"].rows == [patch]
    assert page.context["drifted_count"] == 1
    assert "Changed in Laminar, noticed" in page.text


def test_it_shows_the_age_of_the_oldest_waiting_and_unconfirmed_patch(lead_client: Client, project: Project) -> None:
    hour = timedelta(hours=1)
    PatchFactory.create(project=project, created_at=clock.now() - 3 * hour)
    PatchFactory.create(project=project, state=State.ACCEPTED, accepted_at=clock.now() - 2 * hour)
    text = lead_client.get(URL).text
    assert "The oldest waiting delivery was saved 3 h ago." in text
    assert "The oldest unconfirmed delivery was accepted 2 h ago." in text


def test_it_keeps_the_selection_when_the_rows_refresh(lead_client: Client, project: Project) -> None:
    rows = [PatchFactory.create(project=project, state=State.PARKED) for _ in range(2)]
    fragment = lead_client.get(URL, {"patch": rows[0].pk}, headers={"HX-Request": "true"})
    assert fragment.text.count(" checked") == 1
    assert "patch=" not in fragment.text.partition(">")[0].replace("name=patch", "")


def test_it_shows_how_many_workers_run(lead_client: Client, project: Project) -> None:
    assert "No worker has been seen yet." in lead_client.get(URL).text
    HeartbeatSender().send()
    assert "1 worker is running." in lead_client.get(URL).text
    Heartbeat.objects.update(seen_at=clock.now() - timedelta(seconds=40))
    assert "No worker has been seen for 40 s." in lead_client.get(URL).text
    assert "Saved values are safe" in lead_client.get(URL).text


@pytest.mark.parametrize(("offset", "text"), [(3_660.0, "61 min ahead"), (-7_200.0, "2 h behind")])
def test_it_says_which_workers_clock_is_wrong(lead_client: Client, project: Project, offset: float, text: str) -> None:
    HeartbeatSender().send()
    assert "The clock of worker" not in lead_client.get(URL).text
    Heartbeat.objects.update(host="host-a", pid=7, clock_offset=offset)
    words = " ".join(lead_client.get(URL).text.split())
    assert f"The clock of worker host-a (process 7) is {text}. Deliveries are not affected" in words


def test_it_shows_the_lag_of_the_last_day_by_hour(lead_client: Client, project: Project) -> None:
    now = clock.now()
    for seconds in (1, 2, 30):
        _create_confirmed(project, now, seconds)
    _create_confirmed(project, now - timedelta(hours=5), 4)
    _create_confirmed(project, now - timedelta(days=2), 99)
    page = lead_client.get(URL)
    hours = page.context["lag"].hours
    assert [(hour.count, hour.p50, hour.p95) for hour in hours] == [(1, 4, 4), (3, 2, 30)]
    assert page.text.count("<rect ") == 4
    assert "95% took up to 30 s" in page.text


def test_it_shows_no_lag_when_nothing_was_confirmed(lead_client: Client, project: Project) -> None:
    _create_confirmed(project, clock.now() - timedelta(days=2), 99)
    assert "<svg" not in lead_client.get(URL).text


def test_it_sends_a_probe_before_the_breaker_closes(lead_client: Client, project: Project) -> None:
    PatchFactory.create(project=project, due_at=clock.now() + timedelta(hours=1), failures=6)
    Breaker.objects.create(project=project, failures=6, open_until=clock.now() + timedelta(minutes=1))
    assert "Try now" in lead_client.get(URL).text
    lead_client.post(f"{URL}try/")
    assert len(leasing.lease(5)) == 1
    assert "Pushing has already resumed." in lead_client.post(f"{URL}try/", follow=True).text


def test_it_links_an_admin_to_the_keys(admin_client: Client, lead_client: Client, project: Project) -> None:
    key = LaminarKeyFactory.create(project=project)
    until = clock.now() + timedelta(minutes=1)
    Breaker.objects.create(project=project, open_until=until, refused_key=key.pk, reason="Laminar refused the key.")
    assert "Add a new key" in admin_client.get(URL).text
    assert "Ask an admin to add a new key" in lead_client.get(URL).text


def _create_confirmed(project: Project, confirmed_at: datetime, seconds: int) -> None:
    created_at = confirmed_at - timedelta(seconds=seconds)
    PatchFactory.create(project=project, state=State.CONFIRMED, created_at=created_at, confirmed_at=confirmed_at)
