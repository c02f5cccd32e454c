"""The worker against a Laminar that misbehaves: a late, lost or wrong response affects no other delivery."""

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
from reviewapp.delivery.outbox import UNREADABLE_MESSAGE
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import pull
from reviewapp.worker import pusher
from reviewapp.worker.client_pool import ClientPool
from reviewapp.worker.loop import Worker
from reviewapp.worker.pusher import LEASE_EXPIRED_MESSAGE, Pusher
from tests.delivery.patches import lease_patch, put
from tests.factories import LaminarKeyFactory, PatchFactory, ProjectFactory
from tests.worker.running import FakeLaminar, Response, all_patches_are, fake_laminar, patch_states, run_workers

pytestmark = pytest.mark.django_db(transaction=True)


class ScriptedStore:
    """A script that stores metadata and applies it at once; `fault` can respond in its place."""

    def __init__(self, fault: Any = None) -> None:
        self.metadata: dict[str, dict[str, Any]] = {}
        self.fault = fault

    def __call__(self, path: str, body: dict[str, Any]) -> Response:
        response: Response | None = self.fault(path, body) if self.fault else None
        if response is not None:
            return response
        if path.endswith("/metadata"):
            self.metadata.setdefault(body["traceId"], {}).update(body["metadata"])
            return 200, None
        ids = body["parameters"].get("ids", [])
        return 200, {"data": [row(trace_id, json.dumps(self.metadata.get(trace_id, {}))) for trace_id in ids]}


def row(trace_id: str, metadata: str = "{}", **columns: Any) -> dict[str, Any]:
    """A row of Laminar's `traces` table."""
    times = {"start_time": "2026-01-02 03:04:05.000000000", "end_time": "2026-01-02 03:04:06.000000000"}
    return {"id": trace_id, "metadata": metadata, **times, **columns}


def create_project(laminar: FakeLaminar, slug: str = "support") -> Project:
    project: Project = ProjectFactory.create(slug=slug, base_url=laminar.url)
    LaminarKeyFactory.create(project=project)
    return project


def test_it_keeps_the_order_and_loses_nothing_when_pushes_fail() -> None:
    rng = random.Random(7)
    trace_ids = [uuid4() for _ in range(8)]
    with fake_laminar(
        ScriptedStore(lambda path, body: (500, "no") if "traceId" in body and rng.random() < 0.1 else None)
    ) as laminar:
        project = create_project(laminar)
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

        run_workers(until=done, workers=2)
    for trace_id in trace_ids:
        revs = [metadata["rev"] for pushed, metadata in laminar.pushes if pushed == trace_id]
        assert revs == sorted(revs)
        assert revs[-1] == 15


def test_it_runs_one_push_of_a_trace_at_a_time() -> None:
    busy: set[str] = set()
    concurrent: list[str] = []

    def push_slowly(path: str, body: dict[str, Any]) -> None:
        if path.endswith("/metadata"):
            concurrent.extend(busy & {body["traceId"]})
            busy.add(body["traceId"])
            time.sleep(0.1)
            busy.remove(body["traceId"])

    with fake_laminar(ScriptedStore(push_slowly)) as laminar:
        project = create_project(laminar)
        saves = iter(range(15))

        def done() -> bool:
            number = next(saves, None)
            if number is not None:
                put(project, {"rev": number})
            return number is None and Patch.objects.unfinished().count() == 0

        run_workers(until=done, workers=2)
    assert concurrent == []
    assert laminar.pushes[-1][1] == {"rev": 14}
    assert len(laminar.pushes) <= 15


def test_it_delays_no_other_project_when_one_never_answers() -> None:
    release = threading.Event()
    with (
        fake_laminar(ScriptedStore(lambda path, body: release.wait(120) and None)) as silent_laminar,
        fake_laminar(ScriptedStore()) as laminar,
    ):
        dead, alive = create_project(silent_laminar, "dead"), create_project(laminar)
        for _ in range(100):
            put(dead, {"a": 1}, uuid4())
        pull.request_pull(dead, [uuid4() for _ in range(10)])
        PatchFactory.create(project=dead, state=State.ACCEPTED)
        trace_id = uuid4()
        pull.request_pull(alive, [trace_id])
        patches = [put(alive, {"a": number}, uuid4()) for number in range(5)]
        started_at = time.monotonic()

        def done() -> bool:
            is_done = (
                set(patch_states(*patches)) == {State.CONFIRMED} and Trace.objects.get(trace_id=trace_id).has_spans
            )
            if is_done:
                release.set()
            return is_done

        run_workers(until=done)
    assert time.monotonic() - started_at < 8
    assert silent_laminar.max_active_requests <= pusher.MAX_PUSHES_PER_PROJECT + 3


def test_it_sends_few_requests_to_a_laminar_that_is_down() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (500, "no") if path.endswith("/metadata") else None)) as laminar:
        down = create_project(laminar, "down")
        for number in range(2 * leasing.MAX_LEASED_PER_PROJECT):
            put(down, {"a": number}, uuid4())
        run_workers(
            until=lambda: (
                Breaker.objects.filter(open_until__gt=clock.now()).exists() and State.SENDING not in patch_states()
            )
        )
    assert len(laminar.pushes) <= pusher.MAX_PUSHES_PER_PROJECT + schedule.BREAKER_THRESHOLD
    assert set(patch_states()) == {State.WAITING}
    assert Patch.objects.filter(failures__gt=0).count() == len(laminar.pushes)


def test_it_sends_the_others_when_a_patch_cannot_be_sent() -> None:
    with fake_laminar(ScriptedStore()) as laminar:
        project = create_project(laminar)
        broken = PatchFactory.create(project=project, metadata="{broken", due_at=clock.now() - timedelta(hours=1))
        good = put(project, {"a": 1}, uuid4())
        run_workers(until=lambda: patch_states(good) == [State.CONFIRMED])
    row = Patch.objects.get(pk=broken.pk)
    assert (row.state, row.reason, row.last_error) == (State.PARKED, Reason.UNREADABLE, UNREADABLE_MESSAGE)
    assert not Breaker.objects.filter(failures__gt=0).exists()


def test_it_sends_the_others_when_laminar_refuses_a_patch() -> None:
    with fake_laminar(
        ScriptedStore(lambda path, body: (400, "no") if body.get("metadata") == {"bad": 1} else None)
    ) as laminar:
        project = create_project(laminar)
        bad = put(project, {"bad": 1}, uuid4())
        good = put(project, {"a": 1}, uuid4())
        run_workers(until=lambda: patch_states(bad, good) == [State.PARKED, State.CONFIRMED])
    assert Patch.objects.get(pk=bad.pk).reason == Reason.REFUSED
    assert Attempt.objects.get(patch=bad).answer == '"no"'


def test_it_parks_a_patch_that_is_accepted_but_never_applied() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (200, None) if path.endswith("/metadata") else None)) as laminar:
        put(create_project(laminar), {"a": 1})

        def parked() -> bool:
            # Once after each push: a read-back under way does not record a patch whose due time has changed.
            accepted = Patch.objects.filter(state=State.ACCEPTED, reads=0)
            accepted.update(due_at=clock.now(), reads=len(schedule.READ_DELAYS) - 1)
            return patch_states() == [State.PARKED]

        run_workers(until=parked)
    assert (len(laminar.pushes), Patch.objects.get().reason) == (3, Reason.UNCONFIRMED)


def test_it_records_a_failed_read_back_and_does_not_push_again() -> None:
    with fake_laminar(ScriptedStore(lambda path, body: (500, "no") if path.endswith("/query") else None)) as laminar:
        put(create_project(laminar), {"a": 1})
        run_workers(until=lambda: Patch.objects.filter(last_error__contains="500").exists())
    assert (patch_states(), len(laminar.pushes)) == ([State.ACCEPTED], 1)
    assert Patch.objects.get().due_at > clock.now() + timedelta(seconds=10)


def test_it_stores_the_others_when_metadata_is_not_an_object() -> None:
    deep = '{"a":' + "[" * 3_000 + "]" * 3_000 + "}"
    metadata = ["null", "[1]", "", "{", deep, '{"\\u0000":1}', '{"\\ud800":"\\ud800"}', '{"a":1}']
    texts = {str(uuid4()): text for text in metadata}

    def send_odd_rows(path: str, body: dict[str, Any]) -> Response | None:
        if "FROM spans" in body.get("query", ""):
            return 200, {"data": []}
        ids = body.get("parameters", {}).get("ids")
        return (200, {"data": [row(trace_id, texts[trace_id]) for trace_id in ids]}) if ids else None

    with fake_laminar(ScriptedStore(send_odd_rows)) as laminar:
        pull.request_pull(create_project(laminar), [UUID(trace_id) for trace_id in texts])
        run_workers(until=lambda: Trace.objects.exclude(spans_pulled_at=None).count() == len(texts))
    stored = Trace.objects.values_list("metadata", flat=True)
    assert Counter(stored) == {"{}": 5, '{"?":"\\ud800"}': 1, '{"a":1}': 1, '{"\N{REPLACEMENT CHARACTER}":1}': 1}


def test_it_sends_nothing_with_an_expired_lease() -> None:
    with fake_laminar(ScriptedStore()) as laminar:
        patch = lease_patch(put(create_project(laminar), {"a": 1}))
        key = LaminarKey.objects.select_related("project").get()
        patch.lease_deadline = clock.monotonic()

        async def send() -> str:
            result = await Pusher(ClientPool()).send(patch, key)
            await sync_to_async(connections.close_all)()
            return str(result.error)

        assert asyncio.run(send()) == LEASE_EXPIRED_MESSAGE
    assert laminar.requests == []


def test_it_renews_the_leases_of_pushes_under_way_while_it_stops() -> None:
    reached, release = threading.Event(), threading.Event()

    def push_slowly(path: str, body: dict[str, Any]) -> None:
        if "traceId" in body:
            reached.set()
            release.wait(120)

    async def stop_midway() -> None:
        worker = Worker()
        task = asyncio.create_task(worker.run())
        await asyncio.to_thread(reached.wait, 60)
        worker.stop.set()
        expires_at = clock.now() + timedelta(seconds=7)
        await Patch.objects.aupdate(leased_until=expires_at)
        while (await Patch.objects.aget()).leased_until == expires_at:
            await asyncio.sleep(0.1)
        release.set()
        await task
        await sync_to_async(connections.close_all)()

    with fake_laminar(ScriptedStore(push_slowly)) as laminar:
        patch = put(create_project(laminar), {"a": 1})
        asyncio.run(asyncio.wait_for(stop_midway(), 15))
    assert patch_states(patch) == [State.ACCEPTED]


def test_it_uses_only_the_key_of_the_project() -> None:
    with fake_laminar(ScriptedStore()) as laminar, fake_laminar(ScriptedStore()) as other_laminar:
        for number, (server, slug) in enumerate([(laminar, "support"), (other_laminar, "elsewhere")]):
            project: Project = ProjectFactory.create(slug=slug, base_url=server.url)
            LaminarKeyFactory.create(project=project, secret=f"key-of-{slug}-1234")
            put(project, {"a": number}, UUID(int=number + 1))
        run_workers(until=all_patches_are(State.CONFIRMED))
    assert (set(laminar.keys), set(other_laminar.keys)) == ({"key-of-support-1234"}, {"key-of-elsewhere-1234"})
