"""Each fault of a Laminar server, in its own project: the state after the first push, and the final confirmation."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing, results
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.keys.laminar_keys import connect_project
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar
from reviewapp.lib import clock
from reviewapp.worker.client_pool import ClientPool, get_keys_by_project
from reviewapp.worker.loop import Worker
from tests.delivery.patches import put
from tests.factories import SECRET, LaminarKeyFactory, ProjectFactory
from tests.faults.database_state import unblock_patches, without_waiting
from tests.faults.processes import FakeLaminar
from tests.faults.server_faults import PUSH_FAULTS
from tests.worker.running import patch_states, run_workers

pytestmark = pytest.mark.faults

# The state after the first push, the reason, and the range of seconds until the next try.
Outcome = tuple[str, str, tuple[int, int] | None]
RETRY: Outcome = (State.WAITING, "", (1, 2))
ACCEPTED: Outcome = (State.ACCEPTED, "", (1, 1))
KEY_REFUSED: Outcome = (State.WAITING, "", (0, 0))
REFUSED: Outcome = (State.PARKED, Reason.REFUSED, None)
# By fault; RETRY for all others.
OUTCOMES: dict[str, Outcome] = {
    "slow response": ACCEPTED, "not applied": ACCEPTED, "applied late": ACCEPTED, "applied after the next": ACCEPTED,
    "replayed": ACCEPTED,
    "404 not found": (State.WAITING, "", (2, 2)), "404 empty": KEY_REFUSED, "401": KEY_REFUSED, "403": KEY_REFUSED,
    "400": REFUSED, "413": REFUSED,
    "429 seconds": (State.WAITING, "", (7, 7)), "429 date": (State.WAITING, "", (86_400, 86_400)),
    "429 invalid": RETRY, "429 very long": (State.WAITING, "", (86_400, 86_400)),
    "429 negative": (State.WAITING, "", (1, 1)),
}  # fmt: skip
# The deadline of a request in seconds, in place of half a minute.
DEADLINE = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, with the project and the patch that it affects."""

    name: str
    project: Project
    patch: Patch


@pytest.fixture
def cases(transactional_db: None, fake_laminar: FakeLaminar) -> list[Case]:
    cases = []
    for number, name in enumerate(PUSH_FAULTS):
        project: Project = ProjectFactory.create(slug=f"p{number}", base_url=fake_laminar.url)
        LaminarKeyFactory.create(project=project)
        cases.append(Case(name, project, put(project, {"review_rev": 1}, uuid4())))
    fake_laminar.set_rules(*[_make_rule(case) for case in cases])
    return cases


def make_impatient_worker() -> Worker:
    """Return a worker whose clients have a short deadline."""
    open_clients = {}
    for key in LaminarKey.objects.select_related("project").filter(retired_at=None):
        client = AsyncLaminar(key.project.base_url, SECRET, allowed_hosts=["127.0.0.1"], deadline=DEADLINE)
        open_clients[key.project_id] = (key, client)
    return Worker(clients=ClientPool(open_clients=open_clients))


async def push_each_once(worker: Worker) -> datetime:
    """Push everything due, record the results, and return when they were recorded."""
    patches = await sync_to_async(leasing.lease)(100)
    keys = await sync_to_async(get_keys_by_project)([patch.project_id for patch in patches])
    push_results = await asyncio.gather(*[worker.pusher.send(patch, keys[patch.project_id]) for patch in patches])
    recorded_at = clock.now()
    await sync_to_async(results.record_pushes)(push_results)
    await worker.clients.close()
    await sync_to_async(connections.close_all)()
    return recorded_at


def test_it_handles_each_fault_and_confirms_in_the_end(cases: list[Case], fake_laminar: FakeLaminar) -> None:
    recorded_at = asyncio.run(push_each_once(make_impatient_worker()))
    outcomes = {case.name: _get_outcome(case, recorded_at) for case in cases}
    assert outcomes == {name: OUTCOMES.get(name, RETRY) for name in PUSH_FAULTS}

    def all_confirmed() -> bool:
        unblock_patches()
        return set(patch_states()) == {State.CONFIRMED}

    run_workers(until=without_waiting(all_confirmed), make_worker=make_impatient_worker, seconds=120)
    metadata = fake_laminar.get_metadata()
    assert [case.name for case in cases if metadata[str(case.patch.trace_id)] != {"review_rev": 1}] == []
    assert max(_count_pushes(fake_laminar, case.patch.trace_id) for case in cases) <= 2
    assert [line for line in fake_laminar.log() if line["event"] == "request" and not line["endpoint"]] == []


def test_it_ends_with_the_newest_value_when_patches_are_applied_out_of_order(
    project: Project, fake_laminar: FakeLaminar
) -> None:
    fake_laminar.set_rules({"name": "deferred", "endpoint": "metadata", "times": 1, "apply": "after_next"})
    trace_id = uuid4()
    put(project, {"review_rev": 1}, trace_id)
    run_workers(until=lambda: len(fake_laminar.get_pushes()) == 1)
    newer = put(project, {"review_rev": 2}, trace_id)
    run_workers(until=without_waiting(lambda: patch_states(newer) == [State.CONFIRMED]))
    applied = [line["metadata"]["review_rev"] for line in fake_laminar.log() if line["event"] == "applied"]
    assert (applied, fake_laminar.get_metadata()[str(trace_id)]) == ([2, 1, 2], {"review_rev": 2})


def test_it_ends_with_the_newest_value_when_an_old_patch_is_replayed(
    project: Project, fake_laminar: FakeLaminar
) -> None:
    fake_laminar.set_rules({"name": "replayed", "endpoint": "metadata", "times": 1, "replay": 0.5})
    trace_id = uuid4()
    put(project, {"review_rev": 1}, trace_id)
    run_workers(until=lambda: len(fake_laminar.get_pushes()) == 1)
    newer = put(project, {"review_rev": 2}, trace_id)

    def replayed() -> bool:
        return [line["event"] for line in fake_laminar.log()].count("applied") >= 3

    run_workers(until=replayed)
    run_workers(until=without_waiting(lambda: patch_states(newer) == [State.CONFIRMED]))
    assert fake_laminar.get_metadata()[str(trace_id)] == {"review_rev": 2}


def test_it_loses_nothing_when_the_host_is_unknown_or_has_no_tls(
    transactional_db: None, fake_laminar: FakeLaminar
) -> None:
    urls = ["http://nobody.invalid", fake_laminar.url.replace("http:", "https:")]
    for number, url in enumerate(urls):
        project: Project = ProjectFactory.create(slug=f"p{number}", base_url=url)
        LaminarKeyFactory.create(project=project)
        put(project, {"review_rev": 1}, uuid4())
    run_workers(until=lambda: Attempt.objects.values("patch").distinct().count() == 2)
    rows = Patch.objects.order_by("pk").values_list("state", "last_error")
    assert [state for state, _ in rows] == [State.WAITING] * 2
    assert ["could not be found" in rows[0][1], "does not speak TLS" in rows[1][1]] == [True, True]
    for number in range(2):
        connect_project(f"p{number}", f"Corrected {number}", fake_laminar.url, "", "another-key-1234", "admin")
    run_workers(until=without_waiting(lambda: set(patch_states()) == {State.CONFIRMED}))


def test_it_stops_pushing_when_the_key_is_refused_until_it_is_replaced(
    project: Project, fake_laminar: FakeLaminar
) -> None:
    patches = [put(project, {"review_rev": 1}, uuid4()) for _ in range(20)]
    fake_laminar.set_rules({"name": "slow response", "delay": 0.2}, keys=[SECRET])
    run_workers(until=lambda: State.ACCEPTED in patch_states())
    fake_laminar.set_rules(keys=["another-key-1234"])
    put(project, {"review_rev": 2}, patches[0].trace_id)
    run_workers(until=lambda: Breaker.objects.exclude(refused_key=None).exists())
    pushes_before = len(fake_laminar.get_pushes())
    checks = iter(range(20))
    run_workers(until=lambda: next(checks, None) is None)
    assert len(fake_laminar.get_pushes()) == pushes_before
    connect_project("support", "Support", fake_laminar.url, "", "another-key-1234", "admin")
    run_workers(until=without_waiting(lambda: set(patch_states()) <= {State.CONFIRMED, State.SUPERSEDED}))
    metadata = fake_laminar.get_metadata()
    assert [metadata[str(patch.trace_id)]["review_rev"] for patch in patches] == [2] + [1] * 19


def _make_rule(case: Case) -> dict[str, object]:
    return {
        "name": case.name, "endpoint": "metadata", "times": 1, "traces": [str(case.patch.trace_id)],
        **PUSH_FAULTS[case.name],
    }  # fmt: skip


def _get_outcome(case: Case, recorded_at: datetime) -> Outcome:
    """Return the state, the reason and the expected seconds until the next try; the actual ones if out of range."""
    patch = Patch.objects.get(pk=case.patch.pk)
    wait = (patch.due_at - recorded_at).total_seconds()
    expected = OUTCOMES.get(case.name, RETRY)
    if expected[2] is None or expected is KEY_REFUSED:
        return patch.state, patch.reason, expected[2]
    low, high = expected[2]
    is_in_range = low - 0.5 <= wait <= high + 3
    return patch.state, patch.reason, expected[2] if is_in_range else (int(wait), int(wait))


def _count_pushes(fake_laminar: FakeLaminar, trace_id: UUID) -> int:
    return sum(line["trace"] == str(trace_id) for line in fake_laminar.get_pushes())
