"""Read-backs and drift checks against a fake Laminar: a bad trace delays no other."""

import re
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
from tests.worker.running import FakeLaminar, Response, fake_laminar, patch_states

DUE_COUNT = 4


def create_due_patches(laminar: FakeLaminar, **fields: Any) -> list[Patch]:
    """Create patches of one project that are due for a read-back, in order."""
    project: Project = ProjectFactory.create(base_url=laminar.url)
    LaminarKeyFactory.create(project=project)
    return [PatchFactory.create(project=project, **fields) for _ in range(DUE_COUNT)]


def batch_sizes(laminar: FakeLaminar) -> list[int]:
    """The number of traces that each query requested."""
    return [len(body["parameters"]["ids"]) for _, _, body in laminar.requests]


def script_of_rows(build_row: Callable[[str], dict[str, Any]]) -> Callable[[str, dict[str, Any]], Response]:
    """A script that answers a query with one row for each trace id."""
    return lambda path, body: (
        200,
        {
            "data": [
                {"id": trace_id} | (build_row(trace_id) if "metadata" in body["query"] else {})
                for trace_id in body["parameters"]["ids"]
            ]
        },
    )


def metadata_unless_bad(bad: list[Patch], metadata: object = None) -> Callable[[str], dict[str, Any]]:
    """Rows that confirm a patch, but with this metadata for the bad ones."""
    return lambda trace_id: {
        "metadata": metadata if trace_id in [str(patch.trace_id) for patch in bad] else '{"score":1}'
    }


@pytest.mark.parametrize(
    ("metadata", "problem", "queries"),
    # NaN makes the whole response invalid JSON; the last query asks for the id only, which tells whose fault it is.
    [
        (None, "The trace could not be read: .*“metadata”", [4]),
        ("{", "The trace's metadata could not be read: it is not a JSON object", [4]),
        ("[" * 1_000, "The trace's metadata could not be read: it is nested deeper", [4]),
        (float("nan"), "The trace could not be read: .*is not JSON", [4, 2, 2, 1, 1, 1]),
    ],
    ids=["row", "text", "depth", "response"],
)
def test_it_confirms_the_others_when_a_trace_is_unreadable(
    transactional_db: None, metadata: object, problem: str, queries: list[int]
) -> None:
    bad: list[Patch] = []
    with fake_laminar(script_of_rows(metadata_unless_bad(bad, metadata))) as laminar:
        patches = create_due_patches(laminar, state=State.ACCEPTED)
        bad.append(patches[-1])
        _read_back()
        assert sorted(batch_sizes(laminar)) == sorted(queries)
    assert patch_states() == [State.CONFIRMED] * 3 + [State.ACCEPTED]
    unreadable = reload(bad[0])
    assert unreadable.due_at > clock.now() + confirmation.UNREADABLE_DELAY - timedelta(minutes=1)
    assert re.match(problem, unreadable.last_error)


@pytest.mark.parametrize("metadata", [None, "{", "null", '{"score":1'])
def test_it_checks_the_others_for_drift_when_a_trace_is_unreadable(transactional_db: None, metadata: object) -> None:
    bad: list[Patch] = []
    now = clock.now()
    with fake_laminar(script_of_rows(metadata_unless_bad(bad, metadata))) as laminar:
        patches = create_due_patches(laminar, state=State.CONFIRMED, confirmed_at=now, watch_due_at=now)
        bad.append(patches[-1])
        _read_back()
    assert [reload(patch).watches for patch in patches] == [1, 1, 1, 0]
    watch_due_at, drifted_at = reload(bad[0]).watch_due_at, reload(bad[0]).drifted_at
    assert drifted_at is None
    assert watch_due_at is not None
    assert watch_due_at > clock.now() + drift.UNREADABLE_DELAY - timedelta(minutes=1)


def test_it_ignores_other_columns_than_the_metadata(transactional_db: None) -> None:
    row = {"metadata": '{"score":1}', "start_time": None, "cache_read_input_tokens": 2**64 - 1}
    with fake_laminar(script_of_rows(lambda trace_id: row)) as laminar:
        create_due_patches(laminar, state=State.ACCEPTED)
        _read_back()
        assert batch_sizes(laminar) == [4]
    assert set(patch_states()) == {State.CONFIRMED}


@pytest.mark.parametrize(("status", "queries"), [(400, [4, 2, 1]), (413, [4, 2, 1]), (408, [4]), (500, [4])])
def test_it_ends_a_round_soon_when_every_response_is_an_error(
    transactional_db: None, status: int, queries: list[int]
) -> None:
    with fake_laminar(lambda path, body: (status, {"error": "no"})) as laminar:
        create_due_patches(laminar, state=State.ACCEPTED)
        _read_back(rounds=2)
        assert sorted(batch_sizes(laminar)) == sorted(queries)
    assert not Patch.objects.filter(due_at__lte=clock.now() + confirmation.RETRY_DELAY / 2).exists()


def test_it_halves_the_batch_in_the_next_round_after_a_timeout(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (408, None)) as laminar:
        create_due_patches(laminar, state=State.ACCEPTED)
        _read_back(rounds=3, after_each=_make_all_due)
        assert batch_sizes(laminar) == [4, 2, 1]


def test_it_reads_nothing_of_a_project_after_a_429(transactional_db: None) -> None:
    with fake_laminar(lambda path, body: (429, None)) as laminar:
        patches = create_due_patches(laminar, state=State.ACCEPTED)
        worker = _read_back(rounds=2, after_each=_make_all_due)
        assert batch_sizes(laminar) == [4]
        assert worker.mirror.rate_limited_projects == [patches[0].project_id]
    assert set(patch_states()) == {State.ACCEPTED}


def _make_all_due() -> None:
    Patch.objects.update(due_at=clock.now())


@async_to_sync
async def _read_back(rounds: int = 1, after_each: Callable[[], None] = lambda: None) -> Worker:
    """Finish this many rounds of read-backs and drift checks. Returns the worker."""
    worker = Worker()
    try:
        for _ in range(rounds):
            await worker.read_back()
            await worker.check_drift()
            await worker.readback_tasks.wait_all()
            await worker.drift_tasks.wait_all()
            await sync_to_async(after_each)()
    finally:
        await worker._close()
    return worker
