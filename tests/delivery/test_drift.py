"""Drift: what others change in Laminar after us is noticed, shown, and decided by a person."""

import json
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import transaction
from django.test import Client
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
    """A confirmed patch whose values are in the mirror."""
    TraceFactory.create(project=project, trace_id=TRACE_ID)
    return put_confirmed(project, SCORE)


def put_confirmed(project: Project, values: Mapping[str, object]) -> Patch:
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE_ID), values)
    row = accept_patch(put(project, values))
    confirmation.record_readback([row], {TRACE_ID: canonical_json.dumps(SCORE | dict(values))}, 0.1)
    return reload(row)


def check(patch: Patch, text: str | None) -> Patch:
    """Check a patch whose trace has this metadata text, None if Laminar does not show it. Returns the row."""
    drift.record_readback([reload(patch)], {} if text is None else {patch.trace_id: text}, 0.1)
    return reload(patch)


def matches(project: Project, key: str, value: str) -> bool:
    return index.matching(project, [(key, value)]).exists()


def test_it_checks_a_confirmed_patch_for_a_day(patch: Patch) -> None:
    confirmed_at, checks = patch.confirmed_at, []
    assert confirmed_at is not None
    while patch.watch_due_at is not None:
        checks.append(round((patch.watch_due_at - confirmed_at).total_seconds()))
        with time_machine.travel(patch.watch_due_at, tick=False):
            patch = check(patch, canonical_json.dumps(SCORE))
    assert checks == schedule.DRIFT_CHECK_DELAYS
    assert (patch.watches, patch.drift, patch.drifted_at) == (len(checks), "{}", None)


def test_it_skips_missed_checks(patch: Patch) -> None:
    confirmed_at = patch.confirmed_at
    assert confirmed_at is not None
    with time_machine.travel(confirmed_at + timedelta(hours=2), tick=False):
        patch = check(patch, canonical_json.dumps(SCORE))
    assert patch.watch_due_at == confirmed_at + timedelta(hours=3)


def test_it_adds_no_attempt_when_nothing_changed(patch: Patch) -> None:
    before = Attempt.objects.count()
    check(patch, '{"score": 1.0, "notes": "right", "plan": "gold"}')
    assert Attempt.objects.count() == before


def test_it_records_laminars_value(patch: Patch) -> None:
    row = check(patch, '{"score":0.50,"notes":"right"}')
    assert (row.state, row.drift, row.drifted_at is not None) == (State.CONFIRMED, '{"score":[0.50]}', True)
    assert drift.find_drifted_keys(row) == [drift.DriftedKey("score", "1", "0.50")]
    attempt = Attempt.objects.latest("pk")
    assert (attempt.act, attempt.outcome) == (
        "read back", "Laminar has a different value for score. Someone else changed it after our push.",
    )  # fmt: skip


def test_it_distinguishes_a_removed_key_from_null(patch: Patch) -> None:
    row = check(patch, '{"notes":null}')
    assert row.drift == '{"notes":[null],"score":[]}'
    assert [drifted.laminar_value for drifted in drift.find_drifted_keys(row)] == ["null", None]


def test_it_updates_the_mirror_and_its_index(patch: Patch) -> None:
    check(patch, '{"notes":"wrong","plan":"gold"}')
    assert json.loads(Trace.objects.get().metadata) == {"notes": "wrong"}
    assert matches(patch.project, "notes", "wrong")
    assert not matches(patch.project, "notes", "right")
    assert not matches(patch.project, "score", "1")


def test_it_keeps_our_unconfirmed_values_in_the_mirror(patch: Patch) -> None:
    Trace.objects.update(unconfirmed='{"score":1}')
    check(patch, '{"score":0,"notes":"wrong"}')
    assert json.loads(Trace.objects.get().metadata) == {"score": 1, "notes": "wrong"}


def test_it_clears_a_drift_that_ended(patch: Patch) -> None:
    check(patch, '{"score":0,"notes":"right"}')
    row = check(patch, canonical_json.dumps(SCORE))
    assert (row.drift, row.drifted_at) == ("{}", None)
    assert matches(patch.project, "score", "1")
    assert Attempt.objects.latest("pk").outcome == "Laminar has our values again."


def test_it_records_the_same_drift_once(patch: Patch) -> None:
    first = check(patch, '{"score":0,"notes":"right"}')
    second = check(patch, '{"score":0,"notes":"right"}')
    assert second.drifted_at == first.drifted_at
    assert Attempt.objects.filter(outcome__startswith="Laminar has a different value").count() == 1


def test_it_ignores_keys_that_a_newer_patch_has_set(patch: Patch) -> None:
    put_confirmed(patch.project, {"score": 0})
    assert check(patch, '{"score":0,"notes":"right"}').drifted_at is None


def test_it_ignores_a_newer_patch_that_was_withdrawn(patch: Patch) -> None:
    newer = put(patch.project, {"score": 0})
    with transaction.atomic():
        merge.lock_trace(patch.project, TRACE_ID)
        outbox.withdraw(patch.project, newer)
    assert check(patch, '{"score":0,"notes":"right"}').drift == '{"score":[0]}'


def test_it_rechecks_older_drift_after_a_newer_confirmation(patch: Patch) -> None:
    check(patch, '{"score":0,"notes":"right"}')
    put_confirmed(patch.project, {"score": 0.5})
    row = reload(patch)
    assert row.watch_due_at is not None
    assert row.watch_due_at <= clock.now()
    assert check(row, '{"score":0.5,"notes":"right"}').drifted_at is None


@pytest.mark.parametrize("text", [None, "", "[1]", '{"score":', "null"])
def test_it_ignores_a_trace_that_laminar_does_not_show(patch: Patch, text: str | None) -> None:
    row = check(patch, text)
    assert (row.drifted_at, row.watches) == (None, 1)


def test_it_claims_only_due_patches_and_only_once(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    assert drift.select_due() == []
    drift.check_now(patch.project, patch.pk)
    assert drift.select_due() == [patch]
    assert drift.select_due() == []


@pytest.mark.parametrize("case", ["ingest-only", "no key", "open breaker", "busy"])
def test_it_skips_a_project_that_cannot_be_read(patch: Patch, case: str) -> None:
    if case != "no key":
        kind = LaminarKey.Kind.INGEST_ONLY if case == "ingest-only" else LaminarKey.Kind.FULL
        LaminarKeyFactory.create(project=patch.project, kind=kind)
    if case == "open breaker":
        Breaker.objects.create(project=patch.project, open_until=clock.now() + timedelta(minutes=1))
    drift.check_now(patch.project, patch.pk)
    assert drift.select_due(busy=[patch.project_id] if case == "busy" else []) == []


def test_it_makes_a_check_requested_during_another(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    drift.check_now(patch.project, patch.pk)
    [claimed] = drift.select_due()
    drift.check_now(patch.project, patch.pk)
    drift.record_readback([claimed], {TRACE_ID: canonical_json.dumps(SCORE)}, 0.1)
    assert drift.select_due() == [patch]


def test_it_ignores_a_late_reader(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    drift.check_now(patch.project, patch.pk)
    [late] = drift.select_due()
    check(patch, canonical_json.dumps(SCORE))
    drift.record_readback([late], {TRACE_ID: "{}"}, 0.1)
    assert reload(patch).drifted_at is None


def test_it_repeats_a_failed_check_later(patch: Patch) -> None:
    LaminarKeyFactory.create(project=patch.project)
    drift.check_now(patch.project, patch.pk)
    claimed = drift.select_due()
    drift.reschedule_failed(patch.project, claimed, "Laminar is in trouble (500).")
    with time_machine.travel(clock.now() + drift.RETRY_DELAY + timedelta(seconds=1), tick=False):
        assert drift.select_due() == claimed


def test_it_needs_constant_queries_when_nothing_changed(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = clock.now()
    rows = [
        PatchFactory.create(project=project, state=State.CONFIRMED, confirmed_at=now, watch_due_at=now)
        for _ in range(9)
    ]
    with django_assert_num_queries(2):
        drift.record_readback(rows, {row.trace_id: '{"score":1}' for row in rows}, 0.1)


def test_it_pushes_our_values_again_once(patch: Patch, lead: User) -> None:
    row = check(patch, '{"score":0,"notes":"right"}')
    new = drift.push_again(patch.project, row, lead)
    assert new is not None
    assert (reload(new).values, reload(new).source) == ({"score": 1}, "a test, pushed again by lead")
    assert drift.push_again(patch.project, row, lead) is None
    assert (reload(patch).drift, reload(patch).drifted_at) == ("{}", None)
    assert json.loads(Trace.objects.get().unconfirmed) == {"score": 1}
    assert AuditEvent.objects.filter(verb="pushed our values again").count() == 1


def test_it_does_not_push_again_what_a_newer_patch_has_set(patch: Patch, lead: User) -> None:
    row = check(patch, '{"score":0,"notes":"wrong"}')
    put(patch.project, {"score": 0.5})
    new = drift.push_again(patch.project, row, lead)
    assert new is not None
    assert reload(new).values == {"score": 0.5, "notes": "right"}


def test_it_pushes_nothing_when_newer_patches_set_every_key(patch: Patch, lead: User) -> None:
    row = check(patch, '{"score":0,"notes":"right"}')
    put(patch.project, {"score": 0.5})
    assert drift.push_again(patch.project, row, lead) is None
    assert not AuditEvent.objects.filter(verb="pushed our values again").exists()


def test_it_keeps_laminars_value_until_it_changes_again(patch: Patch, lead: User) -> None:
    row = check(patch, '{"score":0,"notes":"right"}')
    assert drift.keep_laminar_values(patch.project, row, lead)
    assert not drift.keep_laminar_values(patch.project, row, lead)
    assert Attempt.objects.latest("pk").outcome == "lead kept Laminar's values: score."
    assert check(patch, '{"score":0,"notes":"right"}').drifted_at is None
    assert check(patch, '{"score":0.25,"notes":"right"}').drifted_at is not None


def test_it_still_keeps_laminars_value_when_another_drift_ends(patch: Patch, lead: User) -> None:
    row = check(patch, '{"score":0,"notes":"wrong"}')
    assert drift.keep_laminar_values(patch.project, row, lead)
    row = check(patch, '{"score":0,"notes":"right"}')
    assert (row.drift, row.drifted_at) == ('{"score":[0]}', None)
    row = check(patch, '{"score":0,"notes":"wrong"}')
    assert row.drifted_at is not None


def test_it_still_keeps_laminars_value_when_a_newer_patch_sets_another_key(patch: Patch, lead: User) -> None:
    row = check(patch, '{"score":0,"notes":"wrong"}')
    assert drift.keep_laminar_values(patch.project, row, lead)
    put(patch.project, {"notes": "newer"})
    assert check(patch, '{"score":0,"notes":"wrong"}').drifted_at is None


def test_it_is_noticed_by_the_worker(connected_project: Project, tracestore: RunningStore, trace_id: UUID) -> None:
    with tracestore.client() as full:
        send_span(full, str(trace_id))
        patch = put(connected_project, {"score": 1}, trace_id)
        run_workers(until=all_patches_are(State.CONFIRMED))
        full.post("/v1/traces/metadata", json={"traceId": str(trace_id), "metadata": {"score": 0}})
        drift.check_now(connected_project, patch.pk)
        run_workers(until=lambda: reload(patch).drifted_at is not None)
    assert reload(patch).drift == '{"score":[0]}'


def land_late(project: Project, older: Mapping[str, object], newest: Patch, text: str) -> Patch:
    """Check the newest patch after a late push of an older one left Laminar with this metadata. Returns its row."""
    create_sent(project, older)
    return check(newest, text)


def create_sent(project: Project, values: Mapping[str, object]) -> None:
    """Create a patch that is older than all others and was sent."""
    PatchFactory.create(
        pk=Patch.objects.order_by("pk").values_list("pk", flat=True)[0] - 1, project=project, trace_id=TRACE_ID,
        metadata=canonical_json.dumps(values), state=State.SUPERSEDED, lease=1,
    )  # fmt: skip


def test_it_pushes_the_newest_values_again_when_an_older_push_lands_late(patch: Patch) -> None:
    row = land_late(patch.project, {"score": 0}, patch, '{"notes":"right","score":0}')
    assert (row.drifted_at, row.drift, row.watch_due_at, row.repushes) == (None, "{}", None, 1)
    again = Patch.objects.get(state=State.WAITING)
    assert (again.values, again.repushes) == ({"score": 1}, 1)
    assert matches(patch.project, "score", "1")
    assert f"pushed again as delivery {again.pk}" in Attempt.objects.latest("pk").outcome
    assert AuditEvent.objects.filter(verb="pushed our values again").exists()


def test_it_pushes_the_newest_values_again_three_times_at_most(patch: Patch) -> None:
    create_sent(patch.project, {"score": 0})
    row, late = patch, '{"notes":"right","score":0}'
    for _ in range(drift.MAX_REPUSHES):
        assert check(row, late).drifted_at is None
        row = accept_patch(Patch.objects.get(state=State.WAITING))
        confirmation.record_readback([row], {TRACE_ID: canonical_json.dumps(SCORE)}, 0.1)
        row = reload(row)
    assert check(row, late).drifted_at is not None
    assert not Patch.objects.filter(state=State.WAITING).exists()


@pytest.mark.parametrize(
    "text",
    ['{"notes":"right","score":7}', '{"notes":"theirs","score":0}', '{"notes":"right"}'],
    ids=["a value of someone else", "one of each", "removed"],
)
def test_it_leaves_to_a_person_what_someone_else_changed(patch: Patch, text: str) -> None:
    row = land_late(patch.project, {"score": 0}, patch, text)
    assert (row.drifted_at is not None, row.repushes) == (True, 0)
    assert not Patch.objects.filter(state=State.WAITING).exists()


def test_it_leaves_to_a_person_a_value_that_we_never_sent(patch: Patch) -> None:
    create_sent(patch.project, {"score": 0})
    Patch.objects.filter(pk__lt=patch.pk).update(lease=0)
    assert check(patch, '{"notes":"right","score":0}').drifted_at is not None


def test_it_shows_on_the_timeline_that_values_were_pushed_again(lead_client: Client, patch: Patch) -> None:
    land_late(patch.project, {"score": 0}, patch, '{"notes":"right","score":0}')
    for row in Patch.objects.filter(pk__gte=patch.pk):
        page = lead_client.get(f"/p/support/deliveries/{row.pk}/")
        assert "newest values pushed again, 1 of 3" in page.text
