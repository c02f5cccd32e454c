"""After fifty kills under load, with wrong clocks, no acknowledged save is lost, duplicated or pushed out of order."""

from pathlib import Path

import pytest
from django.db import connection

from reviewapp.queues.models import QueueItem
from tests.faults.chaos import WEB_FAILPOINTS, Chaos
from tests.faults.database_state import create_test_data
from tests.faults.host_clock import HOUR, WRONG_CLOCKS
from tests.faults.processes import ForkServer, Workers, run_fake_laminar, run_web
from tests.faults.reviewers import make_reviewer_group
from tests.faults.verification import verify_run

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


@pytest.mark.slow
def test_it_loses_no_save_and_keeps_order_under_kills(
    tmp_path: Path, workers: Workers, fork_server: ForkServer
) -> None:
    with run_fake_laminar(tmp_path) as fake_laminar, run_web(fork_server, WEB_FAILPOINTS, clock=[HOUR]) as web:
        project = create_test_data(fake_laminar.url, items=90, people=3)
        items = list(QueueItem.objects.values_list("pk", flat=True))
        reviewers = make_reviewer_group(web.url, items, 3)
        workers.clocks = WRONG_CLOCKS
        chaos = Chaos(fake_laminar, workers, web, worker_count=4 if connection.vendor == "postgresql" else 2)
        reviewers.start()
        chaos.run_until_killed(50)
        saves = reviewers.finish()
        chaos.wait_until_settled()
        verdict = verify_run(project, saves, fake_laminar)
    assert (reviewers.unexpected, verdict.errors) == ([], [])
    assert len(saves) > 30
    assert verdict.sends <= 2 * len(saves) + 100
