"""Fifty kills under load, and no acknowledged save is lost, doubled or out of order."""

from pathlib import Path

import pytest
from django.db import connection

from reviewapp.queues.models import QueueItem
from tests.faults.chaos import WEB_FAILPOINTS, Chaos
from tests.faults.database_state import create_test_data
from tests.faults.processes import ForkServer, Workers, run_fake_laminar, run_web
from tests.faults.reviewers import make_reviewers
from tests.faults.verification import verify_run

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


def test_kills_lose_nothing_and_change_no_order(tmp_path: Path, workers: Workers, fork_server: ForkServer) -> None:
    with run_fake_laminar(tmp_path) as sink, run_web(fork_server, WEB_FAILPOINTS) as web:
        project = create_test_data(sink.url, items=90, people=3)
        items = list(QueueItem.objects.values_list("pk", flat=True))
        crowd = make_reviewers(web.url, items, 3)
        chaos = Chaos(sink, workers, web, at_once=4 if connection.vendor == "postgresql" else 2)
        crowd.start()
        chaos.until_killed(50)
        acks = crowd.finish()
        chaos.wait_until_settled()
        verdict = verify_run(project, acks, sink)
    assert (crowd.unexpected, verdict.faults) == ([], [])
    assert len(acks) > 30
    assert verdict.sends <= 2 * len(acks) + 100
