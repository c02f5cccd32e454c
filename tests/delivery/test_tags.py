"""Tags: pushed after the metadata, once, and carried by what replaces them."""

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

IN_TROUBLE = ServerError("Laminar is in trouble.", status=500)


def acts(far: FakeLaminar) -> list[str]:
    """What was written there, in order."""
    return [path.rpartition("/")[2] for _, path, body in far.requests if "traceId" in body]


def lacks_tags(patch: Patch, error: LaminarError = IN_TROUBLE) -> None:
    """Mark a leased patch whose metadata Laminar took, and not its tags."""
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
def test_it_tries_the_tags_again_without_the_metadata() -> None:
    answers = iter([(500, "no"), (200, None)])

    def fault(path: str, body: dict[str, Any]) -> Any:
        return next(answers) if path.endswith("/tag") else None

    with fake_laminar(ScriptedStore(fault)) as far:
        patch = put(create_project(far), {"score": 1}, tags=["slow"])
        run_workers(until=lambda: reload(patch).failures == 1)
        assert "not the tags yet" in Attempt.objects.get().outcome
        make_due(patch)
        run_workers(until=all_patches_are(State.CONFIRMED))
    assert acts(far) == ["metadata", "tag", "tag"]
    assert (reload(patch).sends, reload(patch).failures) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_it_sends_metadata_again_without_the_tags(project: Project) -> None:
    patch = accept_patch(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.update(reads=99)
    patch.refresh_from_db()
    confirmation.record_readback([patch], {}, 0.1)
    again = lease_patch(patch)
    assert (again.is_partially_sent, again.has_tags_to_send) == (False, False)


@pytest.mark.django_db(transaction=True)
def test_a_key_that_cannot_tag_holds_nothing_else() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (404, None) if path.endswith("/tag") else None)) as far:
        project = create_project(far)
        tagged = put(project, {"score": 1}, tags=["slow"])
        plain = put(project, {"score": 2}, UUID(int=8))
        run_workers(until=lambda: reload(plain).state == State.CONFIRMED and reload(tagged).state == State.PARKED)
    assert (reload(tagged).reason, "ingest-only" in reload(tagged).last_error) == (Reason.REFUSED, True)
    assert not Breaker.objects.exclude(open_until=None).exists()


def test_a_parked_patch_is_sent_whole_with_another_key(
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


def test_it_carries_the_tags_of_what_it_replaces(project: Project) -> None:
    put(project, {"score": 1}, tags=["slow", "wrong"])
    assert put(project, {"score": 2}, tags=["late", "slow"]).tag_names == ["slow", "wrong", "late"]
    assert put(project, {"notes": "x"}).tag_names == ["slow", "wrong", "late"]


def test_it_carries_no_tags_that_laminar_took(project: Project) -> None:
    accept_patch(put(project, {"score": 1}, tags=["slow"]))
    assert put(project, {"score": 2}).tag_names == []


def test_it_carries_no_tags_where_only_metadata_is_sent_once_more(project: Project) -> None:
    patch = accept_patch(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.filter(pk=patch.pk).update(state=State.WAITING, accepted_at=None)
    assert put(project, {"score": 2}).tag_names == []


def test_tags_that_laminar_took_meanwhile_are_sent_by_no_newer_patch(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    put(project, {"score": 2}, tags=["late"])
    newest = put(project, {"score": 3})
    end_push(patch)
    assert reload(newest).tag_names == ["late"]


def test_tags_that_laminar_did_not_take_are_still_carried(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    newer = put(project, {"score": 2})
    lacks_tags(patch)
    assert reload(newer).tag_names == ["slow"]


def test_an_undo_sends_the_tags_that_were_carried(project: Project) -> None:
    old = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    lacks_tags(old)
    new = put(project, {"score": 2}, tags=["late"])
    assert withdraw_patch(new) == {"score": 1}
    assert (reload(new).superseded_by or new).tag_names == ["slow"]


def test_tags_that_cannot_go_stay_with_their_patch(project: Project) -> None:
    old = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    lacks_tags(old, TagsRefused("No tags.", status=404))
    new = put(project, {"score": 2})
    assert (reload(old).state, new.tag_names) == (State.PARKED, [])
    assert put(project, {"score": 3}, tags=["slow"]).tag_names == ["slow"]
    assert reload(old).state == State.SUPERSEDED


def test_a_retry_after_tags_that_could_not_go_sends_no_metadata(project: Project) -> None:
    patch = lease_patch(put(project, {"score": 1}, tags=["slow"]))
    lacks_tags(patch, TagsRefused("No tags.", status=404))
    assert outbox.retry(project, [patch.pk], "lead") == 1
    again = lease_patch(patch)
    assert (again.is_partially_sent, again.has_tags_to_send) == (True, True)


def test_a_retry_of_an_unconfirmed_patch_sends_no_tags(project: Project) -> None:
    patch = accept_patch(put(project, {"score": 1}, tags=["slow"]))
    Patch.objects.update(state=State.PARKED, reason=Reason.UNCONFIRMED, sends=3)
    assert outbox.retry(project, [patch.pk], "lead") == 1
    again = lease_patch(patch)
    assert (again.is_partially_sent, again.has_tags_to_send) == (False, False)
    assert put(project, {"score": 2}).tag_names == []


@pytest.mark.django_db(transaction=True)
def test_a_retry_with_nothing_else_to_say_sends_the_tags() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (200, None) if path.endswith("/tag") else None)) as far:
        project = create_project(far)
        old = end_push(
            lease_patch(put(project, {"score": 1, "huge": "x"}, tags=["slow"])), RequestRefused("No.", status=413)
        )
        put(project, {"score": 2})
        accept_patch(put(project, {"huge": None}))
        assert outbox.retry(project, [old.pk], "lead") == 1
        run_workers(until=lambda: reload(old).state == State.CONFIRMED)
    assert [body["names"] for _, path, body in far.requests if path.endswith("/tag")] == [["slow"]]
    assert acts(far) == ["tag"]


def test_a_deliverys_page_shows_them(lead_client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project, tags='["<slow>"]')
    assert "&lt;slow&gt;" in lead_client.get(f"/p/support/deliveries/{patch.pk}/").text
