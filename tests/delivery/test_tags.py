"""Tags: pushed after the metadata, once, and carried by what replaces them."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from lmnr import LaminarClient

from reviewapp.accounts.models import Project
from reviewapp.delivery import confirmation, outbox, results
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.delivery.results import CannotTag, Sent
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError, Refused, ServerFault
from reviewapp.lib import clock
from tests.delivery.patches import accepted, due, ends, fresh, leased, put, withdrawn
from tests.factories import LaminarKeyFactory, PatchFactory
from tests.tracestore.store_calls import metadata, send_span
from tests.tracestore_server import RunningStore
from tests.worker.running import Laminar, all_are, laminar, work
from tests.worker.test_faults import Store, project_at

IN_TROUBLE = ServerFault("Laminar is in trouble.", status=500)


def acts(far: Laminar) -> list[str]:
    """What was written there, in order."""
    return [path.rpartition("/")[2] for _, path, body in far.asked if "traceId" in body]


def lacks_tags(patch: Patch, error: LaminarError = IN_TROUBLE) -> None:
    """Mark a leased patch whose metadata Laminar took, and not its tags."""
    results.mark_sent([Sent(patch, None, clock.now(), 0.1, error, is_half=True)])


def test_it_tags_the_top_span(connected: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
        put(connected, {"score": 1}, trace_id, tags=["slow", "wrong tool"])
        work(until=all_are(State.CONFIRMED))
        assert metadata(full, str(trace_id)) == '{"score":1}'
    with LaminarClient(base_url=tracestore.url, project_api_key=tracestore.full_key) as client:
        query = "SELECT tags FROM spans WHERE trace_id = {id:UUID} AND parent_span_id = {top:UUID}"
        rows = client.sql.query(query, {"id": str(trace_id), "top": str(UUID(int=0))})
    assert [row["tags"] for row in rows] == [["slow", "wrong tool"]]


@pytest.mark.django_db(transaction=True)
def test_it_tries_the_tags_again_without_the_metadata() -> None:
    answers = iter([(500, "no"), (200, None)])

    def fault(path: str, body: dict[str, Any]) -> Any:
        return next(answers) if path.endswith("/tag") else None

    with laminar(Store(fault)) as far:
        patch = put(project_at(far), {"score": 1}, tags=["slow"])
        work(until=lambda: fresh(patch).failures == 1)
        assert "not the tags yet" in Attempt.objects.get().outcome
        due(patch)
        work(until=all_are(State.CONFIRMED))
    assert acts(far) == ["metadata", "tag", "tag"]
    assert (fresh(patch).sends, fresh(patch).failures) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_it_sends_metadata_again_without_the_tags(project: Project) -> None:
    patch = accepted(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.update(reads=99)
    patch.refresh_from_db()
    confirmation.mark_read([patch], {}, 0.1)
    again = leased(patch)
    assert (again.is_half_sent, again.has_tags_to_send) == (False, False)


@pytest.mark.django_db(transaction=True)
def test_a_key_that_cannot_tag_holds_nothing_else() -> None:
    with laminar(Store(lambda path, body: (404, None) if path.endswith("/tag") else None)) as far:
        project = project_at(far)
        tagged = put(project, {"score": 1}, tags=["slow"])
        plain = put(project, {"score": 2}, UUID(int=8))
        work(until=lambda: fresh(plain).state == State.CONFIRMED and fresh(tagged).state == State.PARKED)
    assert (fresh(tagged).reason, "ingest-only" in fresh(tagged).last_error) == (Reason.REFUSED, True)
    assert not Breaker.objects.exclude(held_until=None).exists()


def test_a_parked_patch_is_sent_whole_with_another_key(
    connected: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    LaminarKey.objects.all().delete()
    LaminarKeyFactory.create(project=connected, secret=tracestore.ingest_key, kind=LaminarKey.Kind.INGEST_ONLY)
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    patch = put(connected, {"score": 1}, trace_id, tags=["slow"])
    work(until=all_are(State.PARKED))
    LaminarKey.objects.update(retired_at=clock.now())
    LaminarKeyFactory.create(project=connected, secret=tracestore.full_key)
    outbox.retry(connected, [patch.pk], "lead")
    work(until=all_are(State.CONFIRMED))


def test_it_carries_the_tags_of_what_it_replaces(project: Project) -> None:
    put(project, {"score": 1}, tags=["slow", "wrong"])
    assert put(project, {"score": 2}, tags=["late", "slow"]).names == ["slow", "wrong", "late"]
    assert put(project, {"notes": "x"}).names == ["slow", "wrong", "late"]


def test_it_carries_no_tags_that_laminar_took(project: Project) -> None:
    accepted(put(project, {"score": 1}, tags=["slow"]))
    assert put(project, {"score": 2}).names == []


def test_it_carries_no_tags_where_only_metadata_is_sent_once_more(project: Project) -> None:
    patch = accepted(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.filter(pk=patch.pk).update(state=State.WAITING, accepted_at=None)
    assert put(project, {"score": 2}).names == []


def test_tags_that_laminar_took_meanwhile_are_sent_by_no_newer_patch(project: Project) -> None:
    patch = leased(put(project, {"score": 1}, tags=["slow"]))
    put(project, {"score": 2}, tags=["late"])
    newest = put(project, {"score": 3})
    ends(patch)
    assert fresh(newest).names == ["late"]


def test_tags_that_laminar_did_not_take_are_still_carried(project: Project) -> None:
    patch = leased(put(project, {"score": 1}, tags=["slow"]))
    newer = put(project, {"score": 2})
    lacks_tags(patch)
    assert fresh(newer).names == ["slow"]


def test_an_undo_sends_the_tags_that_were_carried(project: Project) -> None:
    old = leased(put(project, {"score": 1}, tags=["slow"]))
    lacks_tags(old)
    new = put(project, {"score": 2}, tags=["late"])
    assert withdrawn(new) == {"score": 1}
    assert (fresh(new).superseded_by or new).names == ["slow"]


def test_tags_that_cannot_go_stay_with_their_patch(project: Project) -> None:
    old = leased(put(project, {"score": 1}, tags=["slow"]))
    lacks_tags(old, CannotTag("No tags.", status=404))
    new = put(project, {"score": 2})
    assert (fresh(old).state, new.names) == (State.PARKED, [])
    assert put(project, {"score": 3}, tags=["slow"]).names == ["slow"]
    assert fresh(old).state == State.SUPERSEDED


def test_a_retry_after_tags_that_could_not_go_sends_no_metadata(project: Project) -> None:
    patch = leased(put(project, {"score": 1}, tags=["slow"]))
    lacks_tags(patch, CannotTag("No tags.", status=404))
    assert outbox.retry(project, [patch.pk], "lead") == 1
    again = leased(patch)
    assert (again.is_half_sent, again.has_tags_to_send) == (True, True)


def test_a_retry_of_an_unconfirmed_patch_sends_no_tags(project: Project) -> None:
    patch = accepted(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.update(state=State.PARKED, reason=Reason.UNCONFIRMED, sends=3)
    assert outbox.retry(project, [patch.pk], "lead") == 1
    again = leased(patch)
    assert (again.is_half_sent, again.has_tags_to_send) == (False, False)
    assert put(project, {"score": 2}).names == []


@pytest.mark.django_db(transaction=True)
def test_a_retry_with_nothing_else_to_say_sends_the_tags() -> None:
    with laminar(Store(lambda path, body: (200, None) if path.endswith("/tag") else None)) as far:
        project = project_at(far)
        old = ends(leased(put(project, {"score": 1, "huge": "x"}, tags=["slow"])), Refused("No.", status=413))
        put(project, {"score": 2})
        accepted(put(project, {"huge": None}))
        assert outbox.retry(project, [old.pk], "lead") == 1
        work(until=lambda: fresh(old).state == State.CONFIRMED)
    assert [body["names"] for _, path, body in far.asked if path.endswith("/tag")] == [["slow"]]
    assert acts(far) == ["tag"]


def test_a_deliverys_page_shows_them(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, tags='["<slow>"]')
    assert "&lt;slow&gt;" in lead_client.get(f"/p/support/deliveries/{patch.pk}/").text
