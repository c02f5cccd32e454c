"""Looks at the traces of patches, against a Laminar that answers by a script: what is bad holds up no other."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.delivery import confirmation, drift
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import clock
from reviewapp.worker.loop import Worker
from tests.delivery.patches import reload
from tests.factories import LaminarKeyFactory, PatchFactory, ProjectFactory
from tests.worker.running import Answer, FakeLaminar, fake_laminar, patch_states

DUE = 4


def prepared(far: FakeLaminar, **fields: Any) -> list[Patch]:
    """Patches of one project that are due to be looked at, the first first."""
    project: Project = ProjectFactory.create(base_url=far.url)
    LaminarKeyFactory.create(project=project)
    return [PatchFactory.create(project=project, **fields) for _ in range(DUE)]


def asked(far: FakeLaminar) -> list[int]:
    """How many traces each query was for."""
    return [len(body["parameters"]["ids"]) for _, _, body in far.requests]


def showing(row: Callable[[str], dict[str, Any]]) -> Callable[[str, dict[str, Any]], Answer]:
    """A script that answers a query by this row for each trace id."""
    return lambda path, body: (200, {"data": [{"id": one} | row(one) for one in body["parameters"]["ids"]]})


def values_but_of(bad: list[Patch]) -> Callable[[str], dict[str, Any]]:
    return lambda one: {"metadata": None if one in [str(patch.trace_id) for patch in bad] else '{"score":1}'}


def test_an_unreadable_trace_keeps_no_other_from_being_confirmed(transactional_db: None) -> None:
    bad: list[Patch] = []
    with fake_laminar(showing(values_but_of(bad))) as far:
        patches = prepared(far, state=State.ACCEPTED)
        bad.append(patches[-1])
        _look()
        assert asked(far) == [4, 2, 2, 1, 1]
    assert patch_states() == [State.CONFIRMED] * 3 + [State.ACCEPTED]
    lone = reload(bad[0])
    assert lone.due_at > clock.now() + confirmation.UNREADABLE_DELAY - timedelta(minutes=1)
    assert "“metadata”" in lone.last_error


def test_an_unreadable_trace_keeps_no_other_from_being_watched(transactional_db: None) -> None:
    bad: list[Patch] = []
    now = clock.now()
    with fake_laminar(showing(values_but_of(bad))) as far:
        patches = prepared(far, state=State.CONFIRMED, confirmed_at=now, watch_due_at=now)
        bad.append(patches[-1])
        _look()
    assert [reload(patch).watches for patch in patches] == [1, 1, 1, 0]
    later = reload(bad[0]).watch_due_at
    assert later is not None
    assert later > clock.now() + drift.UNREADABLE_DELAY - timedelta(minutes=1)


def test_only_the_metadata_of_a_trace_matters(transactional_db: None) -> None:
    row = {"metadata": '{"score":1}', "start_time": None, "cache_read_input_tokens": 2**64 - 1}
    with fake_laminar(showing(lambda one: row)) as far:
        prepared(far, state=State.ACCEPTED)
        _look()
        assert asked(far) == [4]
    assert set(patch_states()) == {State.CONFIRMED}


@pytest.mark.parametrize(("status", "queries"), [(400, [4, 2, 1]), (413, [4, 2, 1]), (408, [4]), (500, [4])])
def test_where_no_answer_is_of_use_each_round_ends_soon(
    transactional_db: None, status: int, queries: list[int]
) -> None:
    with fake_laminar(lambda path, body: (status, {"error": "no"})) as far:
        prepared(far, state=State.ACCEPTED)
        _look(rounds=2)
        assert asked(far) == queries
    assert not Patch.objects.filter(due_at__lte=clock.now() + confirmation.RETRY_DELAY / 2).exists()


def test_who_waited_in_vain_asks_for_less_a_while_later(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (408, None)) as far:
        prepared(far, state=State.ACCEPTED)
        _look(rounds=3, between=_come_due)
        assert asked(far) == [4, 2, 1]


def test_a_429_holds_every_look_of_the_project(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (429, None)) as far:
        patches = prepared(far, state=State.ACCEPTED)
        worker = _look(rounds=2, between=_come_due)
        assert asked(far) == [4]
        assert worker.mirror.rate_limited_projects == [patches[0].project_id]
    assert set(patch_states()) == {State.ACCEPTED}


def _come_due() -> None:
    Patch.objects.update(due_at=clock.now())


@async_to_sync
async def _look(rounds: int = 1, between: Callable[[], None] = lambda: None) -> Worker:
    """So many rounds of looks, each to its end; then the worker."""
    worker = Worker()
    try:
        for _ in range(rounds):
            await worker.read_back()
            await worker.check_drift()
            await worker.readback_tasks.wait_all()
            await worker.drift_tasks.wait_all()
            await sync_to_async(between)()
    finally:
        await worker._close()
    return worker
