"""Each way a Laminar misbehaves, in a project of its own: what is made of it at once, and that it ends well."""

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

# What stands after the first push: the state, why, and how many seconds later it is tried again (from, to).
LATER = (State.WAITING, "", (1, 2))
READ = (State.ACCEPTED, "", (1, 1))
KEY = (State.WAITING, "", (0, 0))
REFUSED = (State.PARKED, Reason.REFUSED, None)
FIRST = {
    "late": READ, "not applied": READ, "applied late": READ, "applied behind the next": READ, "replayed": READ,
    "404 not found": (State.WAITING, "", (2, 2)), "404 blank": KEY, "401": KEY, "403": KEY,
    "400": REFUSED, "413": REFUSED,
    "429 seconds": (State.WAITING, "", (7, 7)), "429 date": (State.WAITING, "", (86_400, 86_400)),
    "429 junk": LATER, "429 vast": (State.WAITING, "", (86_400, 86_400)), "429 negative": (State.WAITING, "", (1, 1)),
}  # fmt: skip
# What the client gives up at, in place of half a minute.
DEADLINE = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, with the project and the patch that meet it."""

    name: str
    project: Project
    patch: Patch


@pytest.fixture
def cases(transactional_db: None, fake_laminar: FakeLaminar) -> list[Case]:
    found = []
    for number, name in enumerate(PUSH_FAULTS):
        project: Project = ProjectFactory.create(slug=f"p{number}", base_url=fake_laminar.url)
        LaminarKeyFactory.create(project=project)
        found.append(Case(name, project, put(project, {"review_rev": 1}, uuid4())))
    fake_laminar.set_rules(*[_rule(case) for case in found])
    return found


def hasty() -> Worker:
    """A worker whose clients give up soon."""
    kept = {}
    for key in LaminarKey.objects.select_related("project").filter(retired_at=None):
        client = AsyncLaminar(key.project.base_url, SECRET, allowed_hosts=["127.0.0.1"], deadline=DEADLINE)
        kept[key.project_id] = (key, client)
    return Worker(clients=ClientPool(open_clients=kept))


async def push_each_once(worker: Worker) -> datetime:
    """Push all that is due, and mark what came of it; when that was."""
    patches = await sync_to_async(leasing.lease)(100)
    keys = await sync_to_async(get_keys_by_project)([patch.project_id for patch in patches])
    sent = await asyncio.gather(*[worker.pusher.send(patch, keys[patch.project_id]) for patch in patches])
    marked = clock.now()
    await sync_to_async(results.record_pushes)(sent)
    await worker.clients.close()
    await sync_to_async(connections.close_all)()
    return marked


def test_each_fault_is_met_as_it_should_be_and_ends_confirmed(cases: list[Case], fake_laminar: FakeLaminar) -> None:
    marked = asyncio.run(push_each_once(hasty()))
    made = {case.name: _made_of(case, marked) for case in cases}
    assert made == {name: FIRST.get(name, LATER) for name in PUSH_FAULTS}

    def well() -> bool:
        unblock_patches()
        return set(patch_states()) == {State.CONFIRMED}

    run_workers(until=without_waiting(well), make_worker=hasty, seconds=30)
    held = fake_laminar.get_metadata()
    assert [case.name for case in cases if held[str(case.patch.trace_id)] != {"review_rev": 1}] == []
    assert max(_sends(fake_laminar, case.patch.trace_id) for case in cases) <= 2


def test_what_is_applied_out_of_order_ends_with_the_right_value(project: Project, fake_laminar: FakeLaminar) -> None:
    fake_laminar.set_rules({"name": "behind", "on": "metadata", "times": 1, "apply": "behind"})
    trace_id = uuid4()
    put(project, {"review_rev": 1}, trace_id)
    run_workers(until=lambda: len(fake_laminar.get_requests()) == 1)
    newer = put(project, {"review_rev": 2}, trace_id)
    run_workers(until=without_waiting(lambda: patch_states(newer) == [State.CONFIRMED]))
    applied = [line["metadata"]["review_rev"] for line in fake_laminar.log() if line["what"] == "applied"]
    assert (applied, fake_laminar.get_metadata()[str(trace_id)]) == ([2, 1, 2], {"review_rev": 2})


def test_an_old_patch_replayed_before_the_new_one_is_confirmed_ends_with_the_right_value(
    project: Project, fake_laminar: FakeLaminar
) -> None:
    fake_laminar.set_rules({"name": "replayed", "on": "metadata", "times": 1, "replay": 0.5})
    trace_id = uuid4()
    put(project, {"review_rev": 1}, trace_id)
    run_workers(until=lambda: len(fake_laminar.get_requests()) == 1)
    newer = put(project, {"review_rev": 2}, trace_id)

    def replayed() -> bool:
        return [line["what"] for line in fake_laminar.log()].count("applied") >= 3

    run_workers(until=replayed)
    run_workers(until=without_waiting(lambda: patch_states(newer) == [State.CONFIRMED]))
    assert fake_laminar.get_metadata()[str(trace_id)] == {"review_rev": 2}


def test_a_name_that_nobody_knows_and_a_server_without_tls_lose_nothing(
    transactional_db: None, fake_laminar: FakeLaminar
) -> None:
    urls = ["http://nobody.invalid", fake_laminar.url.replace("http:", "https:")]
    for number, url in enumerate(urls):
        project: Project = ProjectFactory.create(slug=f"p{number}", base_url=url)
        LaminarKeyFactory.create(project=project)
        put(project, {"review_rev": 1}, uuid4())
    run_workers(until=lambda: Attempt.objects.values("patch").distinct().count() == 2)
    told = Patch.objects.order_by("pk").values_list("state", "last_error")
    assert [state for state, _ in told] == [State.WAITING] * 2
    assert ["could not be found" in told[0][1], "does not speak TLS" in told[1][1]] == [True, True]
    for number in range(2):
        connect_project(f"p{number}", "Corrected", fake_laminar.url, "", "another-key-1234", "admin")
    run_workers(until=without_waiting(lambda: set(patch_states()) == {State.CONFIRMED}))


def test_a_key_refused_in_mid_run_holds_the_rest_until_another_is_given(
    project: Project, fake_laminar: FakeLaminar
) -> None:
    patches = [put(project, {"review_rev": 1}, uuid4()) for _ in range(20)]
    fake_laminar.set_rules({"name": "late", "delay": 0.2}, keys=[SECRET])
    run_workers(until=lambda: State.ACCEPTED in patch_states())
    fake_laminar.set_rules(keys=["another-key-1234"])
    put(project, {"review_rev": 2}, patches[0].trace_id)
    run_workers(until=lambda: Breaker.objects.exclude(refused_key=None).exists())
    before = len(fake_laminar.get_requests())
    still = iter(range(20))
    run_workers(until=lambda: next(still, None) is None)
    assert len(fake_laminar.get_requests()) == before
    connect_project("support", "Support", fake_laminar.url, "", "another-key-1234", "admin")
    run_workers(until=without_waiting(lambda: set(patch_states()) <= {State.CONFIRMED, State.SUPERSEDED}))
    held = fake_laminar.get_metadata()
    assert [held[str(patch.trace_id)]["review_rev"] for patch in patches] == [2] + [1] * 19


def _rule(case: Case) -> dict[str, object]:
    return {
        "name": case.name, "on": "metadata", "times": 1, "traces": [str(case.patch.trace_id)], **PUSH_FAULTS[case.name]
    }  # fmt: skip


def _made_of(case: Case, marked: datetime) -> tuple[str, str, tuple[int, int] | None]:
    """The state after the first push, the reason, and about when it is tried again."""
    patch = Patch.objects.get(pk=case.patch.pk)
    wait = (patch.due_at - marked).total_seconds()
    expected = FIRST.get(case.name, LATER)
    if expected[2] is None or expected is KEY:
        return patch.state, patch.reason, expected[2]
    low, high = expected[2]
    is_so = low - 0.5 <= wait <= high + 3
    return patch.state, patch.reason, expected[2] if is_so else (int(wait), int(wait))


def _sends(sink: FakeLaminar, trace_id: UUID) -> int:
    return sum(line["trace"] == str(trace_id) for line in sink.get_requests())
