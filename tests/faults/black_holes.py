"""Connections to PostgreSQL through which nothing arrives any more, as after a network fault; prints figures as JSON.

The environment of this process sets the database.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models exist only after setup

from reviewapp.accounts.models import Project  # noqa: E402
from reviewapp.delivery.models import Attempt  # noqa: E402
from reviewapp.queues.models import QueueItem  # noqa: E402
from tests.faults.database_state import create_test_data, is_settled  # noqa: E402
from tests.faults.hanging_proxy import HangingProxy, run_proxy  # noqa: E402
from tests.faults.host_clock import HOUR, WRONG_CLOCKS  # noqa: E402
from tests.faults.processes import (  # noqa: E402
    FakeLaminar,
    ForkServer,
    Workers,
    run_fake_laminar,
    run_fork_server,
    run_web,
    wait_until,
)
from tests.faults.reviewers import ReviewerGroup, make_reviewer_group  # noqa: E402
from tests.faults.verification import verify_run  # noqa: E402

WORKERS, REVIEWERS, ITEMS = 4, 4, 200
# Seconds between two faults, each of which takes this share of the connections.
PAUSE, SHARE = 10.0, 0.5


def main(connections: int) -> dict[str, object]:
    """Run everything and return the figures by name, as `report.BLACK_HOLE_ROWS` lists them."""
    call_command("migrate", verbosity=0)
    with (
        tempfile.TemporaryDirectory() as name,
        run_fake_laminar(Path(name)) as fake_laminar,
        run_proxy() as proxy,
        run_fork_server(Path(name), DATABASE_URL=proxy.database_url) as fork_server,
    ):
        return measure_black_holes(fake_laminar, proxy, fork_server, connections)


def measure_black_holes(
    fake_laminar: FakeLaminar, proxy: HangingProxy, fork_server: ForkServer, connections: int
) -> dict[str, object]:
    """Swallow connections while reviewers save and workers push, wait until all is delivered, and verify."""
    project: Project = create_test_data(fake_laminar.url, ITEMS, REVIEWERS)
    items = list(QueueItem.objects.values_list("pk", flat=True))
    workers = Workers(fork_server, WRONG_CLOCKS)
    with run_web(fork_server, clock=[HOUR]) as web:
        reviewers = make_reviewer_group(web.url, items, REVIEWERS, pause=0.05)
        for _ in range(WORKERS):
            workers.start()
        reviewers.start()
        while proxy.swallowed < connections:
            time.sleep(PAUSE)
            proxy.swallow(SHARE)
        saves = reviewers.finish(120)
        started = time.monotonic()
        wait_until(is_settled, 300, every=1)
        settled = time.monotonic() - started
        alive = len(workers.alive)
        workers.kill()
    verdict = verify_run(project, saves, fake_laminar)
    for line in (*verdict.errors, *reviewers.unexpected):
        sys.stderr.write(f"{line[:300]}\n")
    return {
        "connections": proxy.swallowed, "saves": len(saves), "unexpected": len(reviewers.unexpected),
        "missing_saves": len(verdict.missing_saves), "missing_in_laminar": len(verdict.missing_in_laminar),
        "out_of_order": len(verdict.out_of_order), "overlaps": len(verdict.overlaps), "doubled": len(verdict.doubled),
        "interrupted": Attempt.objects.filter(act=Attempt.Act.PUSH, status=None).count(), "workers_alive": alive,
        "settled_s": round(settled, 1), **_measure_saves(reviewers),
    }  # fmt: skip


def _measure_saves(reviewers: ReviewerGroup) -> dict[str, object]:
    seconds = [save.seconds for save in reviewers.acknowledged]
    return {"save_p50_ms": round(statistics.median(seconds) * 1000, 1), "save_max_s": round(max(seconds), 1)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]))) + "\n")
