"""The long run on one database, which the environment of this process sets; prints the figures as JSON."""

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
from tests.faults.host_clock import HOUR, WRONG_CLOCKS  # noqa: E402
from tests.faults.processes import (  # noqa: E402
    FakeLaminar,
    ForkServer,
    Freeze,
    Web,
    Workers,
    get_local_ports,
    run_fake_laminar,
    run_fork_server,
    run_web,
    wait_until,
)
from tests.faults.reviewers import ReviewerGroup, make_reviewer_group  # noqa: E402
from tests.faults.server_faults import make_fault_rules  # noqa: E402
from tests.faults.verification import p99_ms, verify_run  # noqa: E402
from tests.postgres_server import PostgresServer  # noqa: E402

IS_POSTGRES = connection.vendor == "postgresql"
WORKERS = 4 if IS_POSTGRES else 2
ITEMS, REVIEWERS = 600, 4
# Seconds between two saves of a reviewer.
SAVE_PAUSE = 0.05
# The share of requests that meet a fault, divided equally among all faults.
FAULT_RATE = 0.1
# Longer than a lease.
FREEZE_SECONDS = 25.0
DATABASE_STOP_SECONDS = 20.0
# Some faults ask for a pause of years, which would stop delivery for most of the run: press "Try now" this often.
PROBE_SECONDS = 1.0


@dataclass(slots=True)
class KillLoop:
    """Kill at a steady rate for `seconds`, and restart at once what was killed."""

    fake_laminar: FakeLaminar
    web: Web
    workers: Workers
    kills: int
    seconds: float
    freezes: list[Freeze] = field(default_factory=list)
    database_stops: int = 0
    # By process id of each frozen worker: when it was frozen, in seconds since 1970.
    frozen: dict[int, float] = field(default_factory=dict)

    def run(self) -> None:
        started = stopped = probed = time.monotonic()
        while time.monotonic() < started + self.seconds:
            target = self.kills * (time.monotonic() - started) / self.seconds
            is_behind = self.workers.killed + self.web.killed < target
            if is_behind:
                self._kill_random_process()
            self._resume_workers()
            while len(self.workers.alive) - len(self.frozen) < WORKERS:
                self.workers.start(random_failpoint() if is_behind else "")
            if IS_POSTGRES and time.monotonic() > stopped + DATABASE_STOP_SECONDS:
                restart_database()
                self.database_stops, stopped = self.database_stops + 1, time.monotonic()
            with contextlib.suppress(OperationalError):
                unblock_patches()
                if time.monotonic() > probed + PROBE_SECONDS:
                    probe_all_projects()
                    probed = time.monotonic()
            time.sleep(0.05)
        self._resume_workers(after_seconds=0.0)

    def _kill_random_process(self) -> None:
        """Kill a worker (55 %), the whole web app (3 %) or a gunicorn worker; freeze a worker instead (4 %)."""
        draw = random.random()
        if draw < 0.55:
            for pid in [pid for pid in self.workers.alive if pid not in self.frozen][:1]:
                self.workers.kill(pid)
        elif draw < 0.58:
            self.web.kill_all()
            self.web.start()
        elif draw < 0.62 and not self.frozen and self.workers.alive:
            self._freeze_worker()
        else:
            for pid in self.web.workers[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _freeze_worker(self) -> None:
        """Freeze a worker between two of its transactions: on SQLite it would otherwise block all writes."""
        pid = random.choice(self.workers.alive)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        if is_writable():
            self.frozen[pid] = time.time()
        else:
            os.kill(pid, signal.SIGCONT)

    def _resume_workers(self, after_seconds: float = FREEZE_SECONDS) -> None:
        for pid, frozen_at in list(self.frozen.items()):
            if time.time() >= frozen_at + after_seconds:
                self.freezes.append(Freeze(get_local_ports(pid), frozen_at, time.time()))
                os.kill(pid, signal.SIGCONT)
                del self.frozen[pid]


def main(kills: int, minutes: float, outage: float, rows: int) -> dict[str, object]:
    """Run everything and return the figures by name, as `report.ROWS` lists them."""
    call_command("migrate", verbosity=0)
    if IS_POSTGRES:
        with connection.cursor() as cursor:
            # An acknowledged save must be on disk: by default, the test server trades durability for speed.
            cursor.execute(f"ALTER DATABASE {connection.settings_dict['NAME']} SET synchronous_commit = on")
        connections.close_all()
    with (
        tempfile.TemporaryDirectory() as name,
        run_fake_laminar(Path(name)) as fake_laminar,
        run_fork_server(Path(name)) as fork_server,
    ):
        with run_web(fork_server, WEB_FAILPOINTS, clock=[HOUR]) as web:
            figures = measure_kills(fake_laminar, web, fork_server, kills, minutes)
        rescue = measure_rescue(fake_laminar, fork_server)
        return figures | rescue | measure_outage(fake_laminar, fork_server, outage, rows)


def measure_kills(
    fake_laminar: FakeLaminar, web: Web, fork_server: ForkServer, kills: int, minutes: float
) -> dict[str, object]:
    """Kill under load, wait until everything has recovered, and verify. Errors go to standard error."""
    project = create_test_data(fake_laminar.url, ITEMS, REVIEWERS)
    items = list(QueueItem.objects.values_list("pk", flat=True))
    reviewers = make_reviewer_group(web.url, items, REVIEWERS, SAVE_PAUSE)
    rules = make_fault_rules()
    fake_laminar.set_rules(*[{**rule, "times": 1 << 40, "chance": FAULT_RATE / len(rules)} for rule in rules])
    loop = KillLoop(fake_laminar, web, Workers(fork_server, WRONG_CLOCKS), kills, minutes * 60)
    reviewers.start()
    loop.run()
    killed = loop.workers.killed + web.killed
    saves = reviewers.finish()
    loop.workers.kill()
    settled = measure_recovery(fake_laminar, fork_server)
    verdict = verify_run(project, saves, fake_laminar, loop.freezes)
    for line in (*verdict.errors, *reviewers.unexpected):
        sys.stderr.write(f"{line[:300]}\n")
    return {
        "minutes": minutes, "kills": killed, "database_stops": loop.database_stops, "freezes": len(loop.freezes),
        "faults": sum(1 for line in fake_laminar.log() if line["event"] == "request" and line["fault"]),
        "saves": len(saves), "unexpected": len(reviewers.unexpected), "missing_saves": len(verdict.missing_saves),
        "missing_in_laminar": len(verdict.missing_in_laminar), "out_of_order": len(verdict.out_of_order),
        "overlaps": len(verdict.overlaps), "frozen_overlaps": len(verdict.frozen_overlaps),
        "doubled": len(verdict.doubled),
        "sends_per_review": round(verdict.sends / len(saves), 2), "max_sends": verdict.max_sends,
        "settled_s": round(settled, 1), **_measure_saves(reviewers),
    }  # fmt: skip


def measure_recovery(fake_laminar: FakeLaminar, fork_server: ForkServer) -> float:
    """Restore a healthy Laminar and retry delayed patches; return the seconds until every patch is settled."""
    fake_laminar.set_rules(keys=None)
    started = time.monotonic()
    with running_workers(fork_server):
        wait_until(_retry_until_settled, 300, every=1)
    return time.monotonic() - started


def _retry_until_settled() -> bool:
    retry_when_locked(unblock_patches)
    for project in Project.objects.all():
        delayed = Patch.objects.filter(project=project, state=State.WAITING, due_at__gt=clock.now())
        outbox.retry(project, list(delayed.values_list("pk", flat=True)), "lead")
    return is_settled()


def measure_rescue(fake_laminar: FakeLaminar, fork_server: ForkServer) -> dict[str, object]:
    """Measure how long a killed worker's patch waits for another worker."""
    project, durations = Project.objects.get(slug="support"), []
    for _ in range(2):
        fake_laminar.log_path.write_text("")
        put(project, {"review_rev": 1}, uuid4())
        workers = Workers(fork_server)
        workers.wait(workers.start("push.sent=kill"))
        killed_at = time.monotonic()
        workers.start()
        wait_until(lambda: len(fake_laminar.get_pushes()) == 2, 60)
        durations.append(time.monotonic() - killed_at)
        wait_until(is_settled, 60)
        workers.kill()
    return {"rescue_s": round(max(durations), 1)}


def measure_outage(fake_laminar: FakeLaminar, fork_server: ForkServer, seconds: float, rows: int) -> dict[str, object]:
    """Respond 503 while this many patches wait: count the requests, then time how long all take to be sent."""
    fake_laminar.log_path.write_text("")
    project = Project.objects.get(slug="support")
    now = clock.now()
    fields = {"project": project, "metadata": '{"review_rev":1}', "source": "a run", "created_at": now, "due_at": now}
    Patch.objects.bulk_create([Patch(trace_id=uuid4(), **fields) for _ in range(rows)], batch_size=1_000)
    fake_laminar.set_rules({"name": "down", "status": 503, "times": 1 << 40})
    with running_workers(fork_server):
        time.sleep(seconds)
        requests = len([line for line in fake_laminar.log() if line["event"] == "request"])
        fake_laminar.log_path.write_text("")
        fake_laminar.set_rules()
        started = time.monotonic()
        wait_until(lambda: Patch.objects.filter(state__in=[State.WAITING, State.SENDING]).count() == 0, 600, every=0.5)
        drained = time.monotonic() - started
        wait_until(is_settled, 300, every=1)
    return {
        "outage_rows": rows, "outage_s": seconds, "outage_requests": requests, "drain_s": round(drained, 1),
        "drain_sends": round(len(fake_laminar.get_pushes()) / rows, 3),
    }  # fmt: skip


@contextlib.contextmanager
def running_workers(fork_server: ForkServer) -> Iterator[None]:
    """Run WORKERS workers until the block ends."""
    workers = Workers(fork_server, WRONG_CLOCKS)
    for _ in range(WORKERS):
        workers.start()
    try:
        yield
    finally:
        workers.kill()


def probe_all_projects() -> None:
    """Press "Try now": let one push of each paused project through."""
    for project in Project.objects.all():
        breaker.probe(project.pk)


def restart_database() -> None:
    """Stop PostgreSQL as a crash would, then start it again."""
    connections.close_all()
    server = PostgresServer(Path(os.environ["POSTGRES_BIN"]), Path(os.environ["POSTGRES_FOLDER"]))
    server.stop()
    server.start_existing()


def is_writable() -> bool:
    """Whether SQLite's single write lock is free; always true on PostgreSQL."""
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


def _measure_saves(reviewers: ReviewerGroup) -> dict[str, object]:
    """Time the saves acknowledged at the first try; the others waited for a process to start."""
    seconds = [save.seconds for save in reviewers.acknowledged if save.tries == 1]
    return {
        "save_p50_ms": round(statistics.median(seconds) * 1000, 1), "save_p99_ms": p99_ms(seconds),
        "unanswered": reviewers.unanswered,
    }  # fmt: skip


if __name__ == "__main__":
    kills, minutes, outage, rows = sys.argv[1:5]
    sys.stdout.write(json.dumps(main(int(kills), float(minutes), float(outage), int(rows))) + "\n")
