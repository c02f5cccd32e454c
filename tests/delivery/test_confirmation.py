"""Reading back: a patch is confirmed when the trace has its values, and not before."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from reviewapp.accounts.models import Project
from reviewapp.delivery import confirmation, schedule
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import merge
from reviewapp.traces.models import MetadataChange, Trace
from reviewapp.traces.sync import storing
from tests.delivery.patches import TRACE_ID, accept_patch, end_push, lease_patch, make_due, put, put_many, reload
from tests.factories import LaminarKeyFactory, PatchFactory
from tests.traces.rows import trace_row


@pytest.fixture
def patch(project: Project) -> Patch:
    """An accepted patch that is due for its read-back."""
    row = accept_patch(put(project, {"score": 1, "notes": None}))
    make_due(row)
    return row


def read(patch: Patch, text: str | None) -> Patch:
    """Read a patch back from a trace with this metadata text, None for no trace. Returns the row."""
    confirmation.record_readback([reload(patch)], {} if text is None else {patch.trace_id: text}, 0.1)
    return reload(patch)


def test_it_confirms_when_the_trace_has_every_value(patch: Patch) -> None:
    row = read(patch, '{"environment":"production","score":1,"notes":null}')
    assert (row.state, row.confirmed_at is not None, row.last_error) == (State.CONFIRMED, True, "")
    assert Attempt.objects.filter(act="read back", status=200).count() == 1


@pytest.mark.parametrize("is_mirrored", [True, False])
def test_it_keeps_confirmed_values_when_an_older_response_arrives(patch: Patch, is_mirrored: bool) -> None:
    if is_mirrored:
        storing.store_traces(patch.project, [trace_row(patch.trace_id, '{"env":"live"}')])
    locked_trace = merge.lock_trace(patch.project, patch.trace_id)
    merge.apply_patch(patch.project, locked_trace, patch.values, patch_id=patch.pk)
    asked_at = clock.now() - timedelta(seconds=1)
    read(patch, '{"env":"live","score":1,"notes":null}')
    storing.store_changed(patch.project, [trace_row(patch.trace_id, '{"env":"live","step":2}')], asked_at)
    trace = Trace.objects.get()
    assert canonical_json.loads(trace.metadata) == {"env": "live", "score": 1, "notes": None, "step": 2}
    assert not MetadataChange.objects.filter(by=MetadataChange.Author.OTHER_AFTER_PUSH).exclude(key="step").exists()
    # Other changes in Laminar are read soon.
    assert trace.read_due_at is not None
    assert trace.read_due_at <= clock.now()
    storing.store_changed(patch.project, [trace_row(patch.trace_id, '{"env":"live","score":9}')])
    assert Trace.objects.get().metadata == '{"env":"live","score":9}'


@pytest.mark.parametrize(
    ("text", "is_read"), [('{"o":{"b":2,"aa":1}}', True), ('{"o":{"aa":1,"b":2},"other":1.0}', False)]
)
def test_it_rereads_a_trace_when_laminar_spells_a_value_differently(project: Project, text: str, is_read: bool) -> None:
    row = accept_patch(put(project, {"o": {"aa": 1, "b": 2}}))
    assert read(row, text).state == State.CONFIRMED
    assert Trace.objects.due_for_reread(project, clock.now()).exists() is is_read


@pytest.mark.parametrize(
    "text",
    [
        '{"score":1}', '{"score":2,"notes":null}', '{"score":true,"notes":null}', '{"score":"1","notes":null}',
        '{"score":1,"notes":""}', "{}", "null", "", "[1]", '{"score":1,"notes"', '{"score":NaN,"notes":null}',
    ],
)  # fmt: skip
def test_it_does_not_confirm_missing_or_other_values(patch: Patch, text: str) -> None:
    assert read(patch, text).state == State.ACCEPTED


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1.0"), (0.5, "0.50"), (100, "1e2"), (1e17, "100000000000000000"), (1e300, "1" + "0" * 300), (-0.0, "0"),
        (1e-7, "0.0000001"), (None, "null"), (True, "true"), ("é", '"\\u00e9"'), ("a/b", '"a\\/b"'),
        ({"b": [1, {"c": 2}], "a": None}, '{"a": null, "b": [1.0, {"c": 2.00}]}'), ([], "[]"), ({}, "{}"),
    ],
)  # fmt: skip
def test_it_accepts_a_value_in_any_spelling(project: Project, value: Any, text: str) -> None:
    assert confirmation.has_patch_values(f'{{"k":{text}}}', put(project, {"k": value}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "true"), (True, "1"), (0, "false"), (None, "0"), (1, '"1"'), (2**53, "9007199254740993"), ([1], "[1,1]"),
        ({"a": 1}, "[1]"), ({"a": 1}, '{"a":1,"b":1}'), ("a", '"A"'), (0.1, "0.10000000000000002"), (1, "1" * 500),
        ([True], "[1]"), (0.5, "[" * 3_000 + "]" * 3_000),
    ],
)  # fmt: skip
def test_it_distinguishes_different_values(project: Project, value: Any, text: str) -> None:
    assert not confirmation.has_patch_values(f'{{"k":{text}}}', put(project, {"k": value}))


def test_it_reads_again_a_little_later(patch: Patch) -> None:
    row = read(patch, "{}")
    assert (row.state, row.reads) == (State.ACCEPTED, 1)
    assert timedelta(0) < row.due_at - clock.now() <= timedelta(seconds=schedule.READ_DELAYS[1])
    assert not Attempt.objects.filter(act="read back").exists()


def test_it_sends_again_after_two_minutes_and_parks_after_three_sends(patch: Patch) -> None:
    sends, total_delay = 1, timedelta(0)
    for _ in range(100):
        row = read(patch, "{}")
        if row.state == State.ACCEPTED:
            total_delay += row.due_at - clock.now()
        elif row.state == State.WAITING:
            assert row.last_error == "The trace does not show the values yet. It is sent again."
            sends += 1
            end_push(lease_patch(row))
        else:
            break
    assert (row.state, row.reason, row.sends, sends) == (State.PARKED, Reason.UNCONFIRMED, 3, 3)
    assert timedelta(seconds=3 * 100) < total_delay < timedelta(seconds=3 * 130)
    assert Attempt.objects.filter(act="read back").count() == 3


def test_it_reports_a_trace_that_laminar_does_not_show(patch: Patch) -> None:
    Patch.objects.update(reads=len(schedule.READ_DELAYS) - 1)
    assert read(patch, None).last_error == "Laminar's SQL does not show the trace yet. It is sent again."


def test_it_ignores_a_patch_that_was_superseded(patch: Patch) -> None:
    put(patch.project, {"score": 2})
    assert read(patch, '{"score":1,"notes":null}').state == State.SUPERSEDED
    assert not Attempt.objects.filter(act="read back").exists()


def test_it_removes_confirmed_values_from_unconfirmed(project: Project) -> None:
    patch = _saved(project, {"score": 1, "notes": "x"})
    read(patch, '{"score":1,"notes":"x"}')
    assert Trace.objects.get().unconfirmed == "{}"
    assert Trace.objects.get().metadata == '{"score":1,"notes":"x"}'


def test_it_keeps_values_changed_since_as_unconfirmed(project: Project) -> None:
    patch = _saved(project, {"score": 1, "notes": "x"})
    Trace.objects.update(unconfirmed='{"score":2,"notes":"x"}')
    read(patch, '{"score":1,"notes":"x"}')
    assert Trace.objects.get().unconfirmed == '{"score":2}'


def test_it_claims_only_due_patches_and_only_once(patch: Patch) -> None:
    PatchFactory.create(project=patch.project, state=State.ACCEPTED, due_at=clock.now() + timedelta(minutes=1))
    assert confirmation.select_due() == [patch]
    assert confirmation.select_due() == []


def test_it_claims_a_patch_again_when_its_reader_died(patch: Patch) -> None:
    confirmation.select_due()
    with time_machine.travel(clock.now() + confirmation.READBACK_LEASE + timedelta(seconds=1), tick=False):
        assert confirmation.select_due() == [patch]


def test_it_ignores_a_late_reader(patch: Patch) -> None:
    Patch.objects.update(reads=len(schedule.READ_DELAYS) - 1)
    [late] = confirmation.select_due()
    assert read(patch, "{}").state == State.WAITING
    accepted = accept_patch(patch)
    confirmation.record_readback([late], {}, 0.1)
    confirmation.reschedule_failed(patch.project, [late], "Laminar is in trouble (500).")
    assert (reload(patch).state, reload(patch).sends, reload(patch).last_error) == (State.ACCEPTED, accepted.sends, "")


def test_it_limits_the_batch_size(project: Project) -> None:
    rows = [PatchFactory.build(project=project, state=State.ACCEPTED) for _ in range(confirmation.BATCH_SIZE + 3)]
    Patch.objects.bulk_create(rows)
    assert [len(confirmation.select_due()), len(confirmation.select_due())] == [confirmation.BATCH_SIZE, 3]


def test_it_skips_busy_and_blocked_projects(patch: Patch, other_project: Project) -> None:
    PatchFactory.create(project=other_project, state=State.ACCEPTED)
    Breaker.objects.create(project=other_project, open_until=clock.now() + timedelta(minutes=1))
    assert confirmation.select_due(busy=[patch.project_id]) == []


def test_it_delays_the_whole_project_after_a_failed_read(project: Project) -> None:
    first, second = (PatchFactory.create(project=project, state=State.ACCEPTED) for _ in range(2))
    confirmation.reschedule_failed(project, [first], "Laminar is in trouble (500).")
    assert reload(first).last_error == "Laminar is in trouble (500)."
    assert confirmation.select_due() == []
    with time_machine.travel(clock.now() + confirmation.RETRY_DELAY + timedelta(seconds=1), tick=False):
        assert confirmation.select_due() == [first, second]


@pytest.mark.parametrize("hours", [0, 6, 13, 23])
def test_it_defers_patches_until_a_key_can_read(patch: Patch, hours: int) -> None:
    key = LaminarKeyFactory.create(project=patch.project, kind=LaminarKey.Kind.INGEST_ONLY)
    confirmation.reschedule([reload(patch)])
    with time_machine.travel(clock.now() + timedelta(hours=hours), tick=False):
        confirmation.resume_with_full_key()
        assert confirmation.select_due() == []
        LaminarKey.objects.filter(pk=key.pk).update(retired_at=clock.now())
        LaminarKeyFactory.create(project=patch.project)
        confirmation.resume_with_full_key()
        assert confirmation.select_due() == [patch]


def test_it_keeps_scheduled_reads_when_resuming(project: Project) -> None:
    LaminarKeyFactory.create(project=project)
    patch = accept_patch(put(project, {"score": 1}))
    Patch.objects.update(due_at=clock.now() + timedelta(seconds=schedule.READ_DELAYS[-1]))
    confirmation.resume_with_full_key()
    assert reload(patch).due_at > clock.now() + timedelta(seconds=50)


def test_it_needs_one_query_per_patch_without_its_values(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [accept_patch(patch) for patch in put_many(project, 5)]
    with django_assert_num_queries(2 + len(rows)):
        confirmation.record_readback(rows, {}, 0.1)


def _saved(project: Project, values: dict[str, Any]) -> Patch:
    """An accepted patch whose values are in the mirror, as after a save."""
    patch = accept_patch(put(project, values))
    with transaction.atomic():
        merge.apply_patch(project, merge.lock_trace(project, TRACE_ID), values)
    assert canonical_json.loads(Trace.objects.get().unconfirmed) == values
    return patch
