"""Hosts whose clocks are an hour apart, or jump: each patch is sent once, at once, and claims last as long as ever."""

import threading

import pytest

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.heartbeat import get_worker_status
from reviewapp.delivery.models import Attempt, Patch, State
from reviewapp.queues.claiming import claim
from reviewapp.queues.models import QueueItem
from tests.delivery.patches import put_many
from tests.faults.database_state import create_test_data, signed_in_browser
from tests.faults.host_clock import HOUR, WRONG_CLOCKS
from tests.faults.processes import FakeLaminar, ForkServer, Workers, run_web, wait_until
from tests.faults.reviewers import Reviewer
from tests.worker.running import all_patches_are

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


@pytest.mark.slow
def test_it_sends_each_patch_once(project: Project, fake_laminar: FakeLaminar, workers: Workers) -> None:
    # Slow enough that each worker compares the leases of the others with its clock.
    fake_laminar.set_rules({"name": "slow", "endpoint": "metadata", "delay": 4, "times": 40})
    patches = put_many(project, 40)
    for clock in WRONG_CLOCKS:
        workers.start(clock=clock)
    wait_until(all_patches_are(State.CONFIRMED), 120)
    assert sorted(push["trace"] for push in fake_laminar.get_pushes()) == sorted(str(row.trace_id) for row in patches)
    assert not Attempt.objects.filter(status=None).exists()


def test_it_delivers_what_a_host_with_another_clock_saved(
    workers: Workers, fork_server: ForkServer, fake_laminar: FakeLaminar
) -> None:
    create_test_data(fake_laminar.url, items=3, people=1)
    items = list(QueueItem.objects.values_list("pk", flat=True))
    workers.start(clock=[-HOUR])
    with run_web(fork_server, clock=[HOUR]) as web:
        reviewer = Reviewer(web.url, "reviewer-0", items, threading.Event())
        browser = signed_in_browser(reviewer.name, web.url)
        for item in items:
            reviewer.save(browser, item, 0)
        wait_until(lambda: Patch.objects.count() == 3 and all_patches_are(State.CONFIRMED)())
        assert (len(fake_laminar.get_pushes()), reviewer.unexpected) == (3, [])


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_it_respects_a_claim_of_a_host_with_another_clock(
    offset: float, fork_server: ForkServer, fake_laminar: FakeLaminar
) -> None:
    create_test_data(fake_laminar.url, items=1, people=2)
    item, colleague = QueueItem.objects.get(), User.objects.get(username="reviewer-1")
    with run_web(fork_server, clock=[offset]) as web:
        browser, path = signed_in_browser("reviewer-0", web.url), f"/p/support/items/{item.pk}/"
        assert browser.get(path).status == 200
        assert browser.post(f"{path}claim/", {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}).status == 302
    item.refresh_from_db()
    assert item.is_claimed_by_other(colleague)
    assert not claim(item, colleague)


def test_it_reports_the_clocks(project: Project, workers: Workers) -> None:
    for clock in ([0.0], [HOUR], [-HOUR]):
        workers.start(clock=clock)
    wait_until(lambda: get_worker_status().count == 3)
    offsets = sorted(round(worker.clock_offset / HOUR) for worker in get_worker_status().with_wrong_clock)
    assert offsets == [-1, 1]
