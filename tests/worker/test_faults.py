"""The worker against a Laminar that misbehaves: what is late, lost or wrong there stops nothing else here."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from reviewapp.accounts.models import Project
from reviewapp.delivery import leasing, schedule
from reviewapp.delivery.models import Attempt, Breaker, Patch, Reason, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull
from reviewapp.worker import pusher
from reviewapp.worker.client_pool import ClientPool
from reviewapp.worker.loop import Worker
from reviewapp.worker.pusher import Pusher
from tests.delivery.patches import lease_patch, put
from tests.factories import LaminarKeyFactory, PatchFactory, ProjectFactory
from tests.worker.running import Answer, FakeLaminar, all_patches_are, fake_laminar, patch_states, run_workers

pytestmark = pytest.mark.django_db(transaction=True)


class ScriptedStore:
    """What a Laminar holds, applied at once; `fault` may answer in its place."""

    def __init__(self, fault: Any = None) -> None:
        self.metadata: dict[str, dict[str, Any]] = {}
        self.fault = fault

    def __call__(self, path: str, body: dict[str, Any]) -> Answer:
        answer: Answer | None = self.fault(path, body) if self.fault else None
        if answer is not None:
            return answer
        if path.endswith("/metadata"):
            self.metadata.setdefault(body["traceId"], {}).update(body["metadata"])
            return 200, None
        ids = body["parameters"].get("ids", [])
        return 200, {"data": [row(trace_id, json.dumps(self.metadata.get(trace_id, {}))) for trace_id in ids]}


def row(trace_id: str, metadata: str = "{}", **more: Any) -> dict[str, Any]:
    """A row of Laminar's table of traces."""
    times = {"start_time": "2026-01-02 03:04:05.000000000", "end_time": "2026-01-02 03:04:06.000000000"}
    return {"id": trace_id, "metadata": metadata, **times, **more}


def create_project(far: FakeLaminar, slug: str = "support") -> Project:
    project: Project = ProjectFactory.create(slug=slug, base_url=far.url)
    LaminarKeyFactory.create(project=project)
    return project


def test_faults_change_no_order_and_lose_nothing() -> None:
    chance = random.Random(7)
    trace_ids = [uuid4() for _ in range(8)]
    with fake_laminar(
        ScriptedStore(lambda path, body: (500, "no") if "traceId" in body and chance.random() < 0.1 else None)
    ) as far:
        project = create_project(far)
        rev = 0

        def done() -> bool:
            nonlocal rev
            if rev < 15:
                rev += 1
                for trace_id in trace_ids:
                    put(project, {"rev": rev}, trace_id)
                return False
            Patch.objects.filter(state=State.WAITING, failures__gt=0).update(due_at=clock.now())
            return Patch.objects.unfinished().count() == 0

        run_workers(until=done, workers=2, seconds=30)
    for trace_id in trace_ids:
        revs = [metadata["rev"] for pushed, metadata in far.pushes if pushed == trace_id]
        assert revs == sorted(revs)
        assert revs[-1] == 15


def test_one_push_of_a_trace_is_under_way_however_often_it_is_saved() -> None:
    busy: set[str] = set()
    twice: list[str] = []

    def slow(path: str, body: dict[str, Any]) -> None:
        if path.endswith("/metadata"):
            twice.extend(busy & {body["traceId"]})
            busy.add(body["traceId"])
            time.sleep(0.1)
            busy.remove(body["traceId"])

    with fake_laminar(ScriptedStore(slow)) as far:
        project = create_project(far)
        saves = iter(range(15))

        def done() -> bool:
            number = next(saves, None)
            if number is not None:
                put(project, {"rev": number})
            return number is None and Patch.objects.unfinished().count() == 0

        run_workers(until=done, workers=2)
    assert twice == []
    assert far.pushes[-1][1] == {"rev": 14}
    assert len(far.pushes) <= 15


def test_a_project_that_never_answers_delays_no_other() -> None:
    over = threading.Event()
    with (
        fake_laminar(ScriptedStore(lambda path, body: over.wait(30) and None)) as silent,
        fake_laminar(ScriptedStore()) as far,
    ):
        dead, alive = create_project(silent, "dead"), create_project(far)
        for _ in range(100):
            put(dead, {"a": 1}, uuid4())
        pull.request_pull(dead, [uuid4() for _ in range(10)])
        PatchFactory.create(project=dead, state=State.ACCEPTED)
        wanted = uuid4()
        pull.request_pull(alive, [wanted])
        patches = [put(alive, {"a": number}, uuid4()) for number in range(5)]
        began = time.monotonic()

        def done() -> bool:
            is_done = set(patch_states(*patches)) == {State.CONFIRMED} and Trace.objects.get(trace_id=wanted).has_spans
            if is_done:
                over.set()
            return is_done

        run_workers(until=done)
    assert time.monotonic() - began < 8
    assert silent.max_under_way <= pusher.MAX_PUSHES_PER_PROJECT + 3


def test_a_laminar_that_is_down_is_asked_few_times() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (500, "no") if path.endswith("/metadata") else None)) as far:
        down = create_project(far, "down")
        for number in range(2 * leasing.MAX_LEASED_PER_PROJECT):
            put(down, {"a": number}, uuid4())
        run_workers(
            until=lambda: (
                Breaker.objects.filter(open_until__gt=clock.now()).exists() and State.SENDING not in patch_states()
            )
        )
    assert len(far.pushes) <= pusher.MAX_PUSHES_PER_PROJECT + schedule.BREAKER_THRESHOLD
    assert set(patch_states()) == {State.WAITING}
    assert Patch.objects.filter(failures__gt=0).count() == len(far.pushes)


def test_a_row_that_cannot_be_sent_stops_no_other() -> None:
    with fake_laminar(ScriptedStore()) as far:
        project = create_project(far)
        broken = PatchFactory.create(project=project, metadata="{broken", due_at=clock.now() - timedelta(hours=1))
        good = put(project, {"a": 1}, uuid4())
        run_workers(until=lambda: patch_states(good) == [State.CONFIRMED])
    row = Patch.objects.get(pk=broken.pk)
    assert (row.state, row.failures > 0, "fault of ours" in row.last_error) == (State.WAITING, True, True)
    assert not Breaker.objects.filter(failures__gt=0).exists()


def test_a_row_that_laminar_refuses_stops_no_other() -> None:
    with fake_laminar(
        ScriptedStore(lambda path, body: (400, "no") if body.get("metadata") == {"bad": 1} else None)
    ) as far:
        project = create_project(far)
        bad = put(project, {"bad": 1}, uuid4())
        good = put(project, {"a": 1}, uuid4())
        run_workers(until=lambda: patch_states(bad, good) == [State.PARKED, State.CONFIRMED])
    assert Patch.objects.get(pk=bad.pk).reason == Reason.REFUSED
    assert Attempt.objects.get(patch=bad).answer == '"no"'


def test_a_yes_that_is_never_applied_is_sent_again_and_then_shown() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (200, None) if path.endswith("/metadata") else None)) as far:
        put(create_project(far), {"a": 1})

        def parked() -> bool:
            # Once after each push: a read under way would write nothing of a row whose time is another by then.
            new = Patch.objects.filter(state=State.ACCEPTED, reads=0)
            new.update(due_at=clock.now(), reads=len(schedule.READ_DELAYS) - 1)
            return patch_states() == [State.PARKED]

        run_workers(until=parked)
    assert (len(far.pushes), Patch.objects.get().reason) == (3, Reason.UNCONFIRMED)


def test_a_read_back_that_fails_is_told_and_costs_no_push() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (500, "no") if path.endswith("/query") else None)) as far:
        put(create_project(far), {"a": 1})
        run_workers(until=lambda: Patch.objects.filter(last_error__contains="500").exists())
    assert (patch_states(), len(far.pushes)) == ([State.ACCEPTED], 1)
    assert Patch.objects.get().due_at > clock.now() + timedelta(seconds=10)


def test_traces_with_metadata_that_is_no_object_are_kept_and_stop_no_other() -> None:
    deep = '{"a":' + "[" * 3_000 + "]" * 3_000 + "}"
    odd = ["null", "[1]", "", "{", deep, '{"\\u0000":1}', '{"\\ud800":"\\ud800"}', '{"a":1}']
    texts = {str(uuid4()): text for text in odd}

    def odd_rows(path: str, body: dict[str, Any]) -> Answer | None:
        if "FROM spans" in body.get("query", ""):
            return 200, {"data": []}
        ids = body.get("parameters", {}).get("ids")
        return (200, {"data": [row(trace_id, texts[trace_id]) for trace_id in ids]}) if ids else None

    with fake_laminar(ScriptedStore(odd_rows)) as far:
        pull.request_pull(create_project(far), [UUID(trace_id) for trace_id in texts])
        run_workers(until=lambda: Trace.objects.exclude(spans_pulled_at=None).count() == len(texts))
    kept = Trace.objects.values_list("metadata", flat=True)
    assert Counter(kept) == {"{}": 5, '{"?":"\\ud800"}': 1, '{"a":1}': 1, '{"\N{REPLACEMENT CHARACTER}":1}': 1}


def test_a_worker_that_was_frozen_sends_nothing_with_a_lease_that_ran_out() -> None:
    with fake_laminar(ScriptedStore()) as far:
        patch = lease_patch(put(create_project(far), {"a": 1}))
        key = LaminarKey.objects.select_related("project").get()
        patch.leased_until = clock.now() - timedelta(seconds=1)

        async def wake() -> str:
            sent = await Pusher(ClientPool()).send(patch, key)
            await sync_to_async(connections.close_all)()
            return str(sent.error)

        assert "held up and sent nothing" in asyncio.run(wake())
    assert far.requests == []


def test_a_push_under_way_keeps_its_lease_also_while_the_worker_stops() -> None:
    reached, over = threading.Event(), threading.Event()

    def slow(path: str, body: dict[str, Any]) -> None:
        if "traceId" in body:
            reached.set()
            over.wait(30)

    async def stop_midway() -> None:
        worker = Worker()
        running = asyncio.create_task(worker.run())
        await asyncio.to_thread(reached.wait, 10)
        worker.stop.set()
        soon = clock.now() + timedelta(seconds=7)
        await Patch.objects.aupdate(leased_until=soon)
        while (await Patch.objects.aget()).leased_until == soon:
            await asyncio.sleep(0.1)
        over.set()
        await running
        await sync_to_async(connections.close_all)()

    with fake_laminar(ScriptedStore(slow)) as far:
        patch = put(create_project(far), {"a": 1})
        asyncio.run(asyncio.wait_for(stop_midway(), 15))
    assert patch_states(patch) == [State.ACCEPTED]


def test_it_speaks_with_the_key_of_its_project_only() -> None:
    with fake_laminar(ScriptedStore()) as far, fake_laminar(ScriptedStore()) as other_far:
        for number, (side, slug) in enumerate([(far, "support"), (other_far, "elsewhere")]):
            project: Project = ProjectFactory.create(slug=slug, base_url=side.url)
            LaminarKeyFactory.create(project=project, secret=f"key-of-{slug}-1234")
            put(project, {"a": number}, UUID(int=number + 1))
        run_workers(until=all_patches_are(State.CONFIRMED))
    assert (set(far.keys), set(other_far.keys)) == ({"key-of-support-1234"}, {"key-of-elsewhere-1234"})
