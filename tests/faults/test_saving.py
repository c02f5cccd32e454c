"""Saves through the web app as it is served: killed at each step, sent twice, by two people, and while it restarts."""

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
from tests.faults.conftest import UNREACHABLE_URL, make_reviewer_at
from tests.faults.database_state import create_test_data, signed_in_browser
from tests.faults.processes import ForkServer, Web, run_web, wait_until
from tests.faults.reviewers import make_form_data, make_reviewers, post_form

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("point", ["submit.between_rows", "submit.before_commit", "submit.committed"])
def test_a_save_that_was_cut_off_stands_once_or_not_at_all(
    point: str, transactional_db: None, fork_server: ForkServer
) -> None:
    """The process dies at each second save: that one is sent again, and then is found or written anew."""
    with run_web(fork_server, f"{point}=kill@2", "--workers=1") as web:
        person = make_reviewer_at(web)
        browser = signed_in_browser(person.name, web.url)
        for version in range(3):
            person.save(browser, person.items[0], version)
    assert [ack.tries > 1 for ack in person.acknowledged] == [False, True, True]
    assert person.unexpected == []
    rows = Review.objects.order_by("revision").values_list("revision", "notes", "patch__source")
    assert list(rows) == [(ack.version, ack.notes, "review by reviewer-0") for ack in person.acknowledged]
    assert Patch.objects.count() == 3


def test_a_hundred_identical_submits_are_one_revision(web: Web) -> None:
    item = make_reviewer_at(web).items[0]
    fields = make_form_data("0", "Once.", UUID(int=5))
    browsers = [signed_in_browser("reviewer-0", web.url) for _ in range(10)]

    def ten(browser: Browser) -> set[int]:
        return {submit(browser, item, fields).status for _ in range(10)}

    with ThreadPoolExecutor(10) as pool:
        assert set().union(*pool.map(ten, browsers)) == {302}
    assert (Review.objects.count(), Patch.objects.count()) == (1, 1)


def test_of_two_who_save_at_once_one_is_told_and_no_text_is_lost(web: Web) -> None:
    items = make_reviewer_at(web, items=15).items
    browsers = [signed_in_browser(f"reviewer-{number}", web.url) for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for item in items:
            forms = [make_form_data("0", f"By {number}.", UUID(int=10 * item + number)) for number in range(2)]
            told = list(pool.map(submit, browsers, [item] * 2, forms))
            statuses = [answer.status for answer in told]
            assert sorted(statuses) == [302, 409]
            assert Review.objects.get(item=item).notes == f"By {statuses.index(302)}."
            page = told[statuses.index(409)].body
            assert ("By 0." in page, "By 1." in page) == (True, True)


def test_a_rolling_restart_fails_no_request(web: Web) -> None:
    create_test_data(UNREACHABLE_URL, items=6, people=2)
    crowd = make_reviewers(web.url, list(QueueItem.objects.values_list("pk", flat=True)), 2)
    crowd.start()
    for seen in (5, 10, 15):
        crowd.wait_until_saved(seen)
        before = set(web.workers)
        os.kill(web.pid, signal.SIGHUP)
        wait_until(partial(_are_others, web, before))
    crowd.wait_until_saved(20)
    acks = crowd.finish()
    assert (crowd.unexpected, sum(person.unanswered for person in crowd.reviewers)) == ([], 0)
    rows = Review.objects.values_list("item", "revision", "notes")
    assert sorted(rows) == sorted((ack.item, ack.version, ack.notes) for ack in acks)


def _are_others(web: Web, before: set[int]) -> bool:
    """Whether all of gunicorn's workers are new."""
    return bool(web.workers) and before.isdisjoint(web.workers)


def submit(browser: Browser, item: int, fields: dict[str, str]) -> Response:
    answer = post_form(browser, f"/p/support/items/{item}/", fields)
    assert answer is not None
    return answer
