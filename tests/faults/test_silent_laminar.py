"""A Laminar that accepts connections and never answers: whoever asks it waits, and nobody else does."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.utils.html import escape

from benchmarks.browser import Response
from reviewapp.accounts.models import Membership, Role
from reviewapp.laminar import call_slots
from reviewapp.queues.models import QueueItem
from tests.faults.database_state import CSRF_TOKEN, create_test_data, signed_in_browser
from tests.faults.processes import ForkServer, Web, run_web, wait_until
from tests.faults.reviewers import make_form_data
from tests.laminar.local_server import run_server

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.django_db(transaction=True)]

VIEWS = 50
PROCESSES = 2
LIST = "/p/support/traces/?source=laminar"
ANSWER = "/p/support/traces/laminar/?source=laminar"
HALF_REQUEST = b"POST /p/support/items/1/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nversion="


@contextmanager
def send_half_requests(url: str, count: int) -> Iterator[None]:
    """Keep this many requests half sent until the block ends."""
    address = urlsplit(url)
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection((str(address.hostname), address.port or 80)))
            client.sendall(HALF_REQUEST)
        yield


def save_twenty_reviews(web: Web) -> list[int]:
    """Returns the status of each save."""
    saver = signed_in_browser(f"reviewer-{VIEWS}", web.url)
    pks = QueueItem.objects.values_list("pk", flat=True)[:20]
    return [saver.post(f"/p/support/items/{pk}/", make_form_data("0", "Note", uuid4())).status for pk in pks]


def test_it_saves_while_fifty_views_ask_a_silent_laminar(fork_server: ForkServer) -> None:
    is_over = threading.Event()

    def keep_silent(connection: socket.socket) -> None:
        is_over.wait()

    with run_server(keep_silent) as laminar, run_web(fork_server) as web, send_half_requests(web.url, VIEWS):
        create_test_data(laminar.base_url, items=VIEWS, people=VIEWS + 1)
        browsers = [signed_in_browser(f"reviewer-{number}", web.url) for number in range(VIEWS)]
        pages: list[Response] = []
        answers: list[Response] = []

        def open_view(number: int) -> None:
            pages.append(browsers[number].get(LIST))
            answers.append(browsers[number].get(ANSWER))

        with ThreadPoolExecutor(VIEWS) as threads:
            views = [threads.submit(open_view, number) for number in range(VIEWS)]
            wait_until(lambda: len(laminar.requests) > 0)
            assert save_twenty_reviews(web) == [302] * 20
            # Every page has been rendered, and every answer but those that wait is a sentence.
            wait_until(lambda: len(answers) >= VIEWS - PROCESSES * call_slots.SLOTS)
            assert len(pages) == VIEWS
            assert all(page.status == 200 and "Ask Laminar" in page.body for page in pages)
            busy = [answer for answer in answers if escape(call_slots.BUSY) in answer.body]
            assert len(busy) >= VIEWS - PROCESSES * call_slots.SLOTS
            assert 0 < len(laminar.requests) <= PROCESSES * call_slots.SLOTS
            is_over.set()
            for view in views:
                view.result()
        assert all(answer.status == 200 and "Search Laminar again" in answer.body for answer in answers)


def test_it_saves_while_keys_are_tested_with_a_silent_laminar(fork_server: ForkServer) -> None:
    is_over = threading.Event()

    def keep_silent(connection: socket.socket) -> None:
        is_over.wait()

    with run_server(keep_silent) as laminar, run_web(fork_server) as web:
        create_test_data(laminar.base_url, items=20, people=VIEWS + 1)
        Membership.objects.update(role=Role.ADMIN)
        form = {"csrfmiddlewaretoken": CSRF_TOKEN, "key": "a-new-key"}
        browsers = [signed_in_browser(f"reviewer-{number}", web.url) for number in range(8)]
        with ThreadPoolExecutor(8) as threads:
            tests = [threads.submit(browser.post, "/p/support/keys/laminar/", form) for browser in browsers]
            wait_until(lambda: len(laminar.requests) > 0)
            assert save_twenty_reviews(web) == [302] * 20
            is_over.set()
            answers = [test.result() for test in tests]
    assert {answer.status for answer in answers} == {422}
    assert sum(escape(call_slots.BUSY) in answer.body for answer in answers) >= 8 - PROCESSES * call_slots.SLOTS
