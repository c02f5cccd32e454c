"""Two web nodes restart in turn behind the shipped configurations, and no request fails."""

from pathlib import Path

import pytest

from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from tests.faults.database_state import create_test_data
from tests.faults.load_balancers import NAMES, is_installed
from tests.faults.processes import run_fork_server
from tests.faults.rolling_restarts import DRAIN_SECONDS, UNREACHABLE_URL, VISITORS, measure_restarts

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("name", NAMES)
def test_it_loses_no_request(name: str, tmp_path: Path) -> None:
    if not is_installed(name):
        pytest.skip(f"{name} is not installed.")
    create_test_data(UNREACHABLE_URL, items=VISITORS, people=VISITORS)
    items = list(QueueItem.objects.values_list("pk", flat=True))
    with run_fork_server(tmp_path, DRAIN_SECONDS=DRAIN_SECONDS) as fork_server:
        figures = measure_restarts(name, fork_server, items, restarts=2, rate=10)
    assert (figures["failed"], Review.objects.count()) == (0, figures["saves"])
    assert int(str(figures["saves"])) > VISITORS
