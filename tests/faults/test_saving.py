"""Saves through gunicorn: killed at each step, submitted twice, by two reviewers, and during a restart."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import pytest

from benchmarks.browser import Browser, Response
from reviewapp.delivery.models import Patch
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from tests.faults.conftest import UNREACHABLE_URL, make_reviewer
from tests.faults.database_state import create_test_data, signed_in_browser
from tests.faults.processes import ForkServer, Web, run_web, wait_until
from tests.faults.reviewers import make_form_data, make_reviewer_group, post_form

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("failpoint", ["submit.between_rows", "submit.before_commit", "submit.committed"])
def test_it_saves_once_when_the_process_is_killed(
    failpoint: str, transactional_db: None, fork_server: ForkServer
) -> None:
    """Every second save kills the process; the reviewer submits it again, whether or not it was committed."""
    with run_web(fork_server, f"{failpoint}=kill@2", "--workers=1") as web:
        reviewer = make_reviewer(web)
        browser = signed_in_browser(reviewer.name, web.url)
        for version in range(3):
            reviewer.save(browser, reviewer.items[0], version)
    assert [save.tries > 1 for save in reviewer.acknowledged] == [False, True, True]
    assert reviewer.unexpected == []
    rows = Review.objects.order_by("revision").values_list("revision", "notes", "patch__source")
    assert list(rows) == [(save.version, save.notes, "review by reviewer-0") for save in reviewer.acknowledged]
    assert Patch.objects.count() == 3


def test_it_makes_one_revision_of_a_hundred_identical_submits(web: Web) -> None:
    item = make_reviewer(web).items[0]
    form_data = make_form_data("0", "Once.", UUID(int=5))
    browsers = [signed_in_browser("reviewer-0", web.url) for _ in range(10)]

    def submit_ten_times(browser: Browser) -> set[int]:
        return {submit(browser, item, form_data).status for _ in range(10)}

    with ThreadPoolExecutor(10) as pool:
        assert set().union(*pool.map(submit_ten_times, browsers)) == {302}
    assert (Review.objects.count(), Patch.objects.count()) == (1, 1)


def test_it_refuses_one_of_two_simultaneous_saves_and_shows_both_texts(web: Web) -> None:
    items = make_reviewer(web, items=15).items
    browsers = [signed_in_browser(f"reviewer-{number}", web.url) for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for item in items:
            forms = [make_form_data("0", f"By {number}.", UUID(int=10 * item + number)) for number in range(2)]
            responses = list(pool.map(submit, browsers, [item] * 2, forms))
            statuses = [response.status for response in responses]
            assert sorted(statuses) == [302, 409]
            assert Review.objects.get(item=item).notes == f"By {statuses.index(302)}."
            page = responses[statuses.index(409)].body
            assert ("By 0." in page, "By 1." in page) == (True, True)


def test_it_answers_every_request_during_a_rolling_restart(web: Web) -> None:
    create_test_data(UNREACHABLE_URL, items=6, people=2)
    reviewers = make_reviewer_group(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    reviewers.start()
    for count in (5, 10, 15):
        reviewers.wait_until_saved(count)
        old_workers = set(web.workers)
        os.kill(web.pid, signal.SIGHUP)
        wait_until(partial(_are_workers_replaced, web, old_workers))
    reviewers.wait_until_saved(20)
    saves = reviewers.finish()
    assert (reviewers.unexpected, reviewers.unanswered) == ([], 0)
    rows = Review.objects.values_list("item", "revision", "notes")
    assert sorted(rows) == sorted((save.item, save.version, save.notes) for save in saves)


def _are_workers_replaced(web: Web, old_workers: set[int]) -> bool:
    """Whether gunicorn has workers and none of them is old."""
    return bool(web.workers) and old_workers.isdisjoint(web.workers)


def submit(browser: Browser, item: int, form_data: dict[str, str]) -> Response:
    response = post_form(browser, f"/p/support/items/{item}/", form_data)
    assert response is not None
    return response
