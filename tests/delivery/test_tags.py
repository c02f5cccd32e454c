"""Tags: pushed once, after the metadata, and carried by the patches that supersede theirs."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from lmnr import LaminarClient

from reviewapp.accounts.models import Project
from reviewapp.delivery import confirmation, outbox, results
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.delivery.results import PushResult, TagsRefused
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError, RequestRefused, ServerError
from reviewapp.lib import clock
from tests.delivery.patches import accept_patch, end_push, lease_patch, make_due, put, reload, withdraw_patch
from tests.factories import LaminarKeyFactory, PatchFactory
from tests.tracestore.store_calls import fetch_metadata, send_span
from tests.tracestore_server import RunningStore
from tests.worker.running import FakeLaminar, all_patches_are, fake_laminar, run_workers
from tests.worker.test_faults import ScriptedStore, create_project

SERVER_ERROR = ServerError("Laminar is in trouble.", status=500)


def written(laminar: FakeLaminar) -> list[str]:
    """The kinds of write requests, in order."""
    return [path.rpartition("/")[2] for _, path, body in laminar.requests if "traceId" in body]


def record_failed_tags(patch: Patch, error: LaminarError = SERVER_ERROR) -> None:
    """Record that Laminar accepted a leased patch's metadata but not its tags."""
    results.record_pushes([PushResult(patch, None, clock.now(), 0.1, error, is_partial=True)])


def test_it_tags_the_top_span(connected_project: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
        put(connected_project, {"score": 1}, trace_id, tags=["slow", "wrong tool"])
        run_workers(until=all_patches_are(State.CONFIRMED))
        assert fetch_metadata(full, str(trace_id)) == '{"score":1}'
    with LaminarClient(base_url=tracestore.url, project_api_key=tracestore.full_key) as client:
        query = "SELECT tags FROM spans WHERE trace_id = {id:UUID} AND parent_span_id = {top:UUID}"
        rows = client.sql.query(query, {"id": str(trace_id), "top": str(UUID(int=0))})
    assert [row["tags"] for row in rows] == [["slow", "wrong tool"]]


@pytest.mark.django_db(transaction=True)
def test_it_retries_the_tags_without_the_metadata() -> None:
    responses = iter([(500, "no"), (200, None)])

    def fault(path: str, body: dict[str, Any]) -> Any:
        return next(responses) if path.endswith("/tag") else None

    with fake_laminar(ScriptedStore(fault)) as laminar:
        patch = put(create_project(laminar), {"score": 1}, tags=["slow"])
        run_workers(until=lambda: reload(patch).failures == 1)
        assert "not the tags yet" in Attempt.objects.get().outcome
        make_due(patch)
        run_workers(until=all_patches_are(State.CONFIRMED))
    assert written(laminar) == ["metadata", "tag", "tag"]
    assert (reload(patch).sends, reload(patch).failures) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_it_sends_metadata_again_without_the_tags(project: Project) -> None:
    patch = accept_patch(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.update(reads=99)
    patch.refresh_from_db()
    confirmation.record_readback([patch], {}, 0.1)
    leased = lease_patch(patch)
    assert (leased.is_partially_sent, leased.has_tags_to_send) == (False, False)


@pytest.mark.django_db(transaction=True)
def test_it_parks_only_tagged_patches_when_the_key_cannot_tag() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (404, None) if path.endswith("/tag") else None)) as laminar:
        project = create_project(laminar)
        tagged = put(project, {"score": 1}, tags=["slow"])
        plain = put(project, {"score": 2}, UUID(int=8))
        run_workers(until=lambda: reload(plain).state == State.CONFIRMED and reload(tagged).state == State.PARKED)
    assert (reload(tagged).reason, "ingest-only" in reload(tagged).last_error) == (Reason.REFUSED, True)
    assert not Breaker.objects.exclude(open_until=None).exists()


def test_it_sends_a_parked_patch_completely_with_another_key(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    LaminarKey.objects.all().delete()
    LaminarKeyFactory.create(project=connected_project, secret=tracestore.ingest_key, kind=LaminarKey.Kind.INGEST_ONLY)
    with tracestore.client() as full:
        send_span(full, str(trace_id))
    patch = put(connected_project, {"score": 1}, trace_id, tags=["slow"])
    run_workers(until=all_patches_are(State.PARKED))
    LaminarKey.objects.update(retired_at=clock.now())
    LaminarKeyFactory.create(project=connected_project, secret=tracestore.full_key)
    outbox.retry(connected_project, [patch.pk], "lead")
    run_workers(until=all_patches_are(State.CONFIRMED))


def test_it_carries_the_tags_of_superseded_patches(project: Project) -> None:
    put(project, {"score": 1}, tags=["slow", "wrong"])
    assert put(project, {"score": 2}, tags=["late", "slow"]).tag_names == ["slow", "wrong", "late"]
    assert put(project, {"notes": "x"}).tag_names == ["slow", "wrong", "late"]


def test_it_carries_no_accepted_tags(project: Project) -> None:
    accept_patch(put(project, {"score": 1}, tags=["slow"]))
    assert put(project, {"score": 2}).tag_names == []


def test_it_carries_no_tags_when_only_metadata_is_sent_again(project: Project) -> None:
    patch = accept_patch(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.filter(pk=patch.pk).update(state=State.WAITING, accepted_at=None)
    assert put(project, {"score": 2}).tag_names == []


def test_it_drops_tags_accepted_meanwhile_from_newer_patches(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    put(project, {"score": 2}, tags=["late"])
    newest = put(project, {"score": 3})
    end_push(patch)
    assert reload(newest).tag_names == ["late"]


def test_it_still_carries_tags_that_failed(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    newer = put(project, {"score": 2})
    record_failed_tags(patch)
    assert reload(newer).tag_names == ["slow"]


def test_it_sends_carried_tags_again_after_an_undo(project: Project) -> None:
    old = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    record_failed_tags(old)
    new = put(project, {"score": 2}, tags=["late"])
    assert withdraw_patch(new) == {"score": 1}
    assert (reload(new).superseded_by or new).tag_names == ["slow"]


def test_it_keeps_refused_tags_with_their_patch(project: Project) -> None:
    old = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    record_failed_tags(old, TagsRefused("No tags.", status=404))
    new = put(project, {"score": 2})
    assert (reload(old).state, new.tag_names) == (State.PARKED, [])
    assert put(project, {"score": 3}, tags=["slow"]).tag_names == ["slow"]
    assert reload(old).state == State.SUPERSEDED


def test_it_retries_refused_tags_without_the_metadata(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    record_failed_tags(patch, TagsRefused("No tags.", status=404))
    assert outbox.retry(project, [patch.pk], "lead") == 1
    leased = lease_patch(patch)
    assert (leased.is_partially_sent, leased.has_tags_to_send) == (True, True)


def test_it_retries_an_unconfirmed_patch_without_the_tags(project: Project) -> None:
    patch = accept_patch(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.update(state=State.PARKED, reason=Reason.UNCONFIRMED, sends=3)
    assert outbox.retry(project, [patch.pk], "lead") == 1
    leased = lease_patch(patch)
    assert (leased.is_partially_sent, leased.has_tags_to_send) == (False, False)
    assert put(project, {"score": 2}).tag_names == []


@pytest.mark.django_db(transaction=True)
def test_it_retries_the_tags_when_every_key_was_set_since() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (200, None) if path.endswith("/tag") else None)) as laminar:
        project = create_project(laminar)
        old = end_push(
            lease_patch(put(project, {"score": 1, "huge": "x"}, tags=["slow"])), RequestRefused("No.", status=413)
        )
        put(project, {"score": 2})
        accept_patch(put(project, {"huge": None}))
        assert outbox.retry(project, [old.pk], "lead") == 1
        run_workers(until=lambda: reload(old).state == State.CONFIRMED)
    assert [body["names"] for _, path, body in laminar.requests if path.endswith("/tag")] == [["slow"]]
    assert written(laminar) == ["tag"]


def test_it_shows_tags_on_the_page_of_a_delivery(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, tags='["<slow>"]')
    assert "&lt;slow&gt;" in lead_client.get(f"/p/support/deliveries/{patch.pk}/").text
