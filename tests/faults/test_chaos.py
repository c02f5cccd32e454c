"""Fifty kills under load, and no acknowledged save is lost, doubled or out of order."""

from pathlib import Path

import pytest
from django.db import connection

from reviewapp.queues.models import QueueItem
from tests.faults.chaos import WEB_POINTS, Chaos
from tests.faults.database_state import furnish
from tests.faults.processes import Nursery, Workers, a_sink, a_web
from tests.faults.reviewers import people
from tests.faults.verification import judge

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


def test_kills_lose_nothing_and_change_no_order(tmp_path: Path, workers: Workers, nursery: Nursery) -> None:
    with a_sink(tmp_path) as sink, a_web(nursery, WEB_POINTS) as web:
        project = furnish(sink.url, items=90, people=3)
        items = list(QueueItem.objects.values_list("pk", flat=True))
        crowd = people(web.url, items, 3)
        chaos = Chaos(sink, workers, web, at_once=4 if connection.vendor == "postgresql" else 2)
        crowd.start()
        chaos.until_killed(50)
        acks = crowd.finish()
        chaos.be_well()
        verdict = judge(project, acks, sink)
    assert (crowd.odd, verdict.faults) == ([], [])
    assert len(acks) > 30
    assert verdict.sends <= 2 * len(acks) + 100
