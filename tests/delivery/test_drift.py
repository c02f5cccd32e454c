"""Watching what was confirmed: what others change there after us is seen, told, and settled by a person."""

import json
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery import confirmation, drift, outbox, schedule
from reviewapp.delivery.models import Attempt, Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import index, merge
from reviewapp.traces.models import Trace
from tests.delivery.patches import TRACE_ID, accept_patch, put, reload
from tests.factories import LaminarKeyFactory, PatchFactory, TraceFactory
from tests.tracestore.store_calls import send_span
from tests.tracestore_server import RunningStore
from tests.worker.running import all_patches_are, run_workers

SCORE, NOTES = {"score": 1, "notes": "right"}, {"notes": "right"}


@pytest.fixture
def patch(project: Project) -> Patch:
    """A confirmed patch whose values stand in the mirror."""
    TraceFactory.create(project=project, trace_id=TRACE_ID)
    return confirmed(project, SCORE)


def confirmed(project: Project, values: Mapping[str, object]) -> Patch:
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE_ID), values)
    row = accept_patch(put(project, values))
    confirmation.record_readback([row], {TRACE_ID: canonical_json.dumps(SCORE | dict(values))}, 0.1)
    return reload(row)


def look(patch: Patch, text: str | None) -> Patch:
    """Look at a patch whose trace holds this metadata, or is not shown; the row afterwards."""
    drift.record_readback([reload(patch)], {} if text is None else {patch.trace_id: text}, 0.1)
    return reload(patch)


def finds(project: Project, key: str, value: str) -> bool:
    return index.matching(project, [(key, value)]).exists()


def test_what_is_confirmed_is_watched_for_a_day(patch: Patch) -> None:
    begun, looks = patch.confirmed_at, []
    assert begun is not None
    while patch.watch_due_at is not None:
        looks.append(round((patch.watch_due_at - begun).total_seconds()))
        with time_machine.travel(patch.watch_due_at, tick=False):
            patch = look(patch, canonical_json.dumps(SCORE))
    assert looks == schedule.DRIFT_CHECK_DELAYS
    assert (patch.watches, patch.drift, patch.drifted_at) == (len(looks), "{}", None)


def test_looks_that_were_missed_are_not_made_up_for(patch: Patch) -> None:
    begun = patch.confirmed_at
    assert begun is not None
    with time_machine.travel(begun + timedelta(hours=2), tick=False):
        patch = look(patch, canonical_json.dumps(SCORE))
    assert patch.watch_due_at == begun + timedelta(hours=3)


def test_a_quiet_look_leaves_no_attempt(patch: Patch) -> None:
    before = Attempt.objects.count()
    look(patch, '{"score": 1.0, "notes": "right", "plan": "gold"}')
    assert Attempt.objects.count() == before


def test_it_notes_what_laminar_holds_instead(patch: Patch) -> None:
    row = look(patch, '{"score":0.50,"notes":"right"}')
    assert (row.state, row.drift, row.drifted_at is not None) == (State.CONFIRMED, '{"score":[0.50]}', True)
    assert drift.find_drifted_keys(row) == [drift.DriftedKey("score", "1", "0.50")]
    told = Attempt.objects.latest("pk")
    assert (told.act, told.outcome) == (
        "read back", "Laminar holds another value under score. Somebody else changed it after us.",
    )  # fmt: skip


def test_a_key_that_is_gone_is_not_one_that_is_null(patch: Patch) -> None:
    row = look(patch, '{"notes":null}')
    assert row.drift == '{"notes":[null],"score":[]}'
    assert [one.laminar_value for one in drift.find_drifted_keys(row)] == ["null", None]


def test_the_mirror_and_its_index_say_what_laminar_says(patch: Patch) -> None:
    look(patch, '{"notes":"wrong","plan":"gold"}')
    assert json.loads(Trace.objects.get().metadata) == {"notes": "wrong"}
    assert finds(patch.project, "notes", "wrong")
    assert not finds(patch.project, "notes", "right")
    assert not finds(patch.project, "score", "1")


def test_our_unconfirmed_values_stay_on_top(patch: Patch) -> None:
    Trace.objects.update(unconfirmed='{"score":1}')
    look(patch, '{"score":0,"notes":"wrong"}')
    assert json.loads(Trace.objects.get().metadata) == {"score": 1, "notes": "wrong"}


def test_a_drift_that_ends_is_cleared(patch: Patch) -> None:
    look(patch, '{"score":0,"notes":"right"}')
    row = look(patch, canonical_json.dumps(SCORE))
    assert (row.drift, row.drifted_at) == ("{}", None)
    assert finds(patch.project, "score", "1")
    assert Attempt.objects.latest("pk").outcome == "Laminar no longer has other values than ours."


def test_the_same_drift_is_told_once(patch: Patch) -> None:
    first = look(patch, '{"score":0,"notes":"right"}')
    second = look(patch, '{"score":0,"notes":"right"}')
    assert second.drifted_at == first.drifted_at
    assert Attempt.objects.filter(outcome__startswith="Laminar holds").count() == 1


def test_what_a_newer_patch_of_ours_set_is_no_drift(patch: Patch) -> None:
    confirmed(patch.project, {"score": 0})
    assert look(patch, '{"score":0,"notes":"right"}').drifted_at is None


def test_a_newer_patch_that_was_withdrawn_sets_nothing(patch: Patch) -> None:
    newer = put(patch.project, {"score": 0})
    with transaction.atomic():
        merge.lock_trace(patch.project, TRACE_ID)
        outbox.withdraw(patch.project, newer)
    assert look(patch, '{"score":0,"notes":"right"}').drift == '{"score":[0]}'


def test_a_newer_confirmation_has_the_older_drift_looked_at_again(patch: Patch) -> None:
    look(patch, '{"score":0,"notes":"right"}')
    confirmed(patch.project, {"score": 0.5})
    row = reload(patch)
    assert row.watch_due_at is not None
    assert row.watch_due_at <= clock.now()
    assert look(row, '{"score":0.5,"notes":"right"}').drifted_at is None


@pytest.mark.parametrize("text", [None, "", "[1]", '{"score":', "null"])
def test_a_trace_that_is_not_shown_says_nothing(patch: Patch, text: str | None) -> None:
    row = look(patch, text)
    assert (row.drifted_at, row.watches) == (None, 1)


def test_only_what_is_due_is_taken_and_only_once(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    assert drift.select_due() == []
    drift.check_now(patch.project, patch.pk)
    assert drift.select_due() == [patch]
    assert drift.select_due() == []


@pytest.mark.parametrize("case", ["ingest-only", "no key", "held back", "busy"])
def test_it_takes_none_of_a_project_that_cannot_be_read(patch: Patch, case: str) -> None:
    if case != "no key":
        kind = LaminarKey.Kind.INGEST_ONLY if case == "ingest-only" else LaminarKey.Kind.FULL
        LaminarKeyFactory.create(project=patch.project, kind=kind)
    if case == "held back":
        Breaker.objects.create(project=patch.project, open_until=clock.now() + timedelta(minutes=1))
    drift.check_now(patch.project, patch.pk)
    assert drift.select_due(busy=[patch.project_id] if case == "busy" else []) == []


def test_a_look_that_was_asked_for_meanwhile_is_made(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    drift.check_now(patch.project, patch.pk)
    [taken] = drift.select_due()
    drift.check_now(patch.project, patch.pk)
    drift.record_readback([taken], {TRACE_ID: canonical_json.dumps(SCORE)}, 0.1)
    assert drift.select_due() == [patch]


def test_a_reader_that_wakes_late_writes_nothing(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    drift.check_now(patch.project, patch.pk)
    [late] = drift.select_due()
    look(patch, canonical_json.dumps(SCORE))
    drift.record_readback([late], {TRACE_ID: "{}"}, 0.1)
    assert reload(patch).drifted_at is None


def test_a_look_that_failed_is_made_a_while_later(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    drift.check_now(patch.project, patch.pk)
    taken = drift.select_due()
    drift.reschedule_failed(patch.project, taken, "Laminar is in trouble (500).")
    with time_machine.travel(clock.now() + drift.RETRY_DELAY + timedelta(seconds=1), tick=False):
        assert drift.select_due() == taken


def test_quiet_looks_cost_the_same_for_many(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    at = clock.now()
    rows = [
        PatchFactory.create(project=project, state=State.CONFIRMED, confirmed_at=at, watch_due_at=at) for _ in range(9)
    ]
    with django_assert_num_queries(2):
        drift.record_readback(rows, {row.trace_id: '{"score":1}' for row in rows}, 0.1)


def test_ours_is_pushed_again_once(patch: Patch, lead: User) -> None:
    row = look(patch, '{"score":0,"notes":"right"}')
    new = drift.push_again(patch.project, row, lead)
    assert new is not None
    assert (reload(new).values, reload(new).source) == ({"score": 1}, "a test, ours again by lead")
    assert drift.push_again(patch.project, row, lead) is None
    assert (reload(patch).drift, reload(patch).drifted_at) == ("{}", None)
    assert json.loads(Trace.objects.get().unconfirmed) == {"score": 1}
    assert AuditEvent.objects.filter(verb="pushed ours again").count() == 1


def test_what_a_newer_patch_set_meanwhile_is_not_pushed_again(patch: Patch, lead: User) -> None:
    row = look(patch, '{"score":0,"notes":"wrong"}')
    put(patch.project, {"score": 0.5})
    new = drift.push_again(patch.project, row, lead)
    assert new is not None
    assert reload(new).values == {"score": 0.5, "notes": "right"}


def test_nothing_is_pushed_when_all_of_it_was_set_since(patch: Patch, lead: User) -> None:
    row = look(patch, '{"score":0,"notes":"right"}')
    put(patch.project, {"score": 0.5})
    assert drift.push_again(patch.project, row, lead) is None
    assert not AuditEvent.objects.filter(verb="pushed ours again").exists()


def test_theirs_is_left_until_it_changes_again(patch: Patch, lead: User) -> None:
    row = look(patch, '{"score":0,"notes":"right"}')
    assert drift.keep_laminar_values(patch.project, row, lead)
    assert not drift.keep_laminar_values(patch.project, row, lead)
    assert Attempt.objects.latest("pk").outcome == "lead left Laminar's values as they are: score."
    assert look(patch, '{"score":0,"notes":"right"}').drifted_at is None
    assert look(patch, '{"score":0.25,"notes":"right"}').drifted_at is not None


def test_theirs_that_were_left_are_no_drift_again_when_another_key_is_ours_once_more(patch: Patch, lead: User) -> None:
    row = look(patch, '{"score":0,"notes":"wrong"}')
    assert drift.keep_laminar_values(patch.project, row, lead)
    row = look(patch, '{"score":0,"notes":"right"}')
    assert (row.drift, row.drifted_at) == ('{"score":[0]}', None)
    row = look(patch, '{"score":0,"notes":"wrong"}')
    assert row.drifted_at is not None


def test_theirs_that_were_left_are_no_drift_again_when_a_newer_patch_sets_another_key(patch: Patch, lead: User) -> None:
    row = look(patch, '{"score":0,"notes":"wrong"}')
    assert drift.keep_laminar_values(patch.project, row, lead)
    put(patch.project, {"notes": "newer"})
    assert look(patch, '{"score":0,"notes":"wrong"}').drifted_at is None


def test_the_worker_sees_what_others_pushed(
    connected_project: Project, tracestore: RunningStore, trace_id: UUID
) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
        patch = put(connected_project, {"score": 1}, trace_id)
        run_workers(until=all_patches_are(State.CONFIRMED))
        full.post("/v1/traces/metadata", json={"traceId": str(trace_id), "metadata": {"score": 0}})
        drift.check_now(connected_project, patch.pk)
        run_workers(until=lambda: reload(patch).drifted_at is not None)
    assert reload(patch).drift == '{"score":[0]}'
