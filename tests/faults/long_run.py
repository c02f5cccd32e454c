"""One database's part of the long proof, in a process whose environment names the database; prints figures as JSON."""

import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models exist only after setup
from django.db import OperationalError, connection, connections  # noqa: E402

from reviewapp.accounts.models import Project  # noqa: E402
from reviewapp.delivery import breaker, outbox  # noqa: E402
from reviewapp.delivery.models import Patch, State  # noqa: E402
from reviewapp.lib import clock  # noqa: E402
from reviewapp.queues.models import QueueItem  # noqa: E402
from tests.delivery.patches import put  # noqa: E402
from tests.faults.chaos import WEB_FAILPOINTS, random_failpoint, retry_when_locked  # noqa: E402
from tests.faults.database_state import create_test_data, is_settled, unblock_patches  # noqa: E402
from tests.faults.processes import (  # noqa: E402
    FakeLaminar,
    ForkServer,
    Freeze,
    Web,
    Workers,
    ports_of,
    run_fake_laminar,
    run_fork_server,
    run_web,
    wait_until,
)
from tests.faults.reviewers import ReviewerGroup, make_reviewers  # noqa: E402
from tests.faults.server_faults import make_fault_rules  # noqa: E402
from tests.faults.verification import p99_ms, verify_run  # noqa: E402
from tests.postgres_server import PostgresServer  # noqa: E402

IS_POSTGRES = connection.vendor == "postgresql"
WORKERS = 4 if IS_POSTGRES else 2
ITEMS, PEOPLE, PAUSE = 600, 4, 0.05
# A share of the requests that the far side answers badly, spread over all the ways.
BADLY = 0.1
# Longer than a lease.
FROZEN = 25.0
STOP_EVERY = 20.0
# A Laminar that asks for a pause of years would have nothing pushed for most of the run: somebody presses "Try now".
TRY_EVERY = 1.0


@dataclass(slots=True)
class Killing:
    """Kills at a steady pace for some minutes; what dies is started again at once."""

    sink: FakeLaminar
    web: Web
    workers: Workers
    kills: int
    seconds: float
    freezes: list[Freeze] = field(default_factory=list)
    stops: int = 0
    # When each worker that stands still was frozen, in seconds since 1970.
    frozen: dict[int, float] = field(default_factory=dict)

    def run(self) -> None:
        began = stopped = tried = time.monotonic()
        while time.monotonic() < began + self.seconds:
            wanted = self.kills * (time.monotonic() - began) / self.seconds
            is_behind = self.workers.killed + self.web.killed < wanted
            if is_behind:
                self._kill_one()
            self._thaw()
            while len(self.workers.alive) - len(self.frozen) < WORKERS:
                self.workers.start(random_failpoint() if is_behind else "")
            if IS_POSTGRES and time.monotonic() > stopped + STOP_EVERY:
                stop_database()
                self.stops, stopped = self.stops + 1, time.monotonic()
            with contextlib.suppress(OperationalError):
                unblock_patches()
                if time.monotonic() > tried + TRY_EVERY:
                    try_now()
                    tried = time.monotonic()
            time.sleep(0.05)
        self._thaw(until=0.0)

    def _kill_one(self) -> None:
        lot = random.random()
        if lot < 0.55:
            for pid in [pid for pid in self.workers.alive if pid not in self.frozen][:1]:
                self.workers.kill(pid)
        elif lot < 0.58:
            self.web.kill_all()
            self.web.start()
        elif lot < 0.62 and not self.frozen and self.workers.alive:
            self._freeze()
        else:
            for pid in self.web.workers[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _freeze(self) -> None:
        """Freeze a worker between two of its transactions: on SQLite it would keep everybody from writing."""
        pid = random.choice(self.workers.alive)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        if is_free():
            self.frozen[pid] = time.time()
        else:
            os.kill(pid, signal.SIGCONT)

    def _thaw(self, until: float = FROZEN) -> None:
        for pid, since in list(self.frozen.items()):
            if time.time() >= since + until:
                self.freezes.append(Freeze(ports_of(pid), since, time.time()))
                os.kill(pid, signal.SIGCONT)
                del self.frozen[pid]


def main(kills: int, minutes: float, outage: float, rows: int) -> dict[str, object]:
    call_command("migrate", verbosity=0)
    if IS_POSTGRES:
        with connection.cursor() as cursor:
            # A yes has to mean that it is written: the server for tests is fast and forgetful.
            cursor.execute(f"ALTER DATABASE {connection.settings_dict['NAME']} SET synchronous_commit = on")
        connections.close_all()
    with (
        tempfile.TemporaryDirectory() as name,
        run_fake_laminar(Path(name)) as sink,
        run_fork_server(Path(name)) as nursery,
    ):
        with run_web(nursery, WEB_FAILPOINTS) as web:
            found = killing(sink, web, nursery, kills, minutes)
        return found | rescue(sink, nursery) | an_outage(sink, nursery, outage, rows)


def killing(sink: FakeLaminar, web: Web, nursery: ForkServer, kills: int, minutes: float) -> dict[str, object]:
    project = create_test_data(sink.url, ITEMS, PEOPLE)
    crowd = make_reviewers(web.url, list(QueueItem.objects.values_list("pk", flat=True)), PEOPLE, PAUSE)
    ways = make_fault_rules()
    sink.set_rules(*[{**rule, "times": 1 << 40, "chance": BADLY / len(ways)} for rule in ways])
    run = Killing(sink, web, Workers(nursery), kills, minutes * 60)
    crowd.start()
    run.run()
    killed = run.workers.killed + web.killed
    acks = crowd.finish()
    run.workers.kill()
    settled = settle(sink, nursery)
    verdict = verify_run(project, acks, sink, run.freezes)
    for line in (*verdict.faults, *crowd.unexpected):
        sys.stderr.write(f"{line[:300]}\n")
    return {
        "minutes": minutes, "kills": killed, "database_stops": run.stops, "freezes": len(run.freezes),
        "faults": sum(1 for line in sink.log() if line["what"] == "asked" and line["fault"]),
        "saves": len(acks), "odd": len(crowd.unexpected), "lost_here": len(verdict.lost_here),
        "lost_there": len(verdict.lost_there), "inversions": len(verdict.inversions), "overlaps": len(verdict.overlaps),
        "beside_frozen": len(verdict.beside_frozen),
        "sends_per_review": round(verdict.sends / len(acks), 2), "most_sends": verdict.most_sends,
        "settled_s": round(settled, 1), **_times(crowd),
    }  # fmt: skip


def settle(sink: FakeLaminar, nursery: ForkServer) -> float:
    """All is well again, and a person sends at once what waits for a day: seconds until every patch has its end."""
    sink.set_rules(keys=None)
    began = time.monotonic()
    with some_workers(nursery):
        wait_until(_sends_now, 300, every=1)
    return time.monotonic() - began


def _sends_now() -> bool:
    retry_when_locked(unblock_patches)
    for project in Project.objects.all():
        waiting = Patch.objects.filter(project=project, state=State.WAITING, due_at__gt=clock.now())
        outbox.retry(project, list(waiting.values_list("pk", flat=True)), "lead")
    return is_settled()


def rescue(sink: FakeLaminar, nursery: ForkServer) -> dict[str, object]:
    """How long a killed worker's row waits for another worker."""
    project, times = Project.objects.get(slug="support"), []
    for _ in range(2):
        sink.path.write_text("")
        put(project, {"review_rev": 1}, uuid4())
        workers = Workers(nursery)
        workers.wait(workers.start("push.sent=kill"))
        died = time.monotonic()
        workers.start()
        wait_until(lambda: len(sink.get_requests()) == 2, 60)
        times.append(time.monotonic() - died)
        wait_until(is_settled, 60)
        workers.kill()
    return {"rescue_s": round(max(times), 1)}


def an_outage(sink: FakeLaminar, nursery: ForkServer, seconds: float, rows: int) -> dict[str, object]:
    """A far side that answers 503 while so many rows wait: requests meanwhile, seconds until all are sent after."""
    sink.path.write_text("")
    project = Project.objects.get(slug="support")
    now = clock.now()
    row = {"project": project, "metadata": '{"review_rev":1}', "source": "a run", "created_at": now, "due_at": now}
    Patch.objects.bulk_create([Patch(trace_id=uuid4(), **row) for _ in range(rows)], batch_size=1_000)
    sink.set_rules({"name": "down", "status": 503, "times": 1 << 40})
    with some_workers(nursery):
        time.sleep(seconds)
        requests = len([line for line in sink.log() if line["what"] == "asked"])
        sink.path.write_text("")
        sink.set_rules()
        began = time.monotonic()
        wait_until(lambda: Patch.objects.filter(state__in=[State.WAITING, State.SENDING]).count() == 0, 600, every=0.5)
        drained = time.monotonic() - began
        wait_until(is_settled, 300, every=1)
    return {
        "outage_rows": rows, "outage_s": seconds, "outage_requests": requests, "drain_s": round(drained, 1),
        "drain_sends": round(len(sink.get_requests()) / rows, 3),
    }  # fmt: skip


@contextlib.contextmanager
def some_workers(nursery: ForkServer) -> Iterator[None]:
    workers = Workers(nursery)
    for _ in range(WORKERS):
        workers.start()
    try:
        yield
    finally:
        workers.kill()


def try_now() -> None:
    """What a person does about a project that is held: let one push go to see."""
    for project in Project.objects.all():
        breaker.probe(project.pk)


def stop_database() -> None:
    """Stop PostgreSQL as a crash does, and start it again."""
    connections.close_all()
    server = PostgresServer(Path(os.environ["POSTGRES_BIN"]), Path(os.environ["POSTGRES_FOLDER"]))
    server.stop()
    server.start_existing()


def is_free() -> bool:
    """Whether nobody holds the lock of SQLite's one writer."""
    if IS_POSTGRES:
        return True
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 200")
        try:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
        except OperationalError:
            return False
        finally:
            cursor.execute("PRAGMA busy_timeout = 20000")
    return True


def _times(crowd: ReviewerGroup) -> dict[str, object]:
    """Of the saves that were answered at the first try; those cut off wait for a start."""
    seconds = [ack.seconds for ack in crowd.acknowledged if ack.tries == 1]
    return {
        "save_p50_ms": round(statistics.median(seconds) * 1000, 1), "save_p99_ms": p99_ms(seconds),
        "unanswered": sum(person.unanswered for person in crowd.reviewers),
    }  # fmt: skip


if __name__ == "__main__":
    kills, minutes, outage, rows = sys.argv[1:5]
    sys.stdout.write(json.dumps(main(int(kills), float(minutes), float(outage), int(rows))) + "\n")
