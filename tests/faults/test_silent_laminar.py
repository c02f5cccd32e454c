"""A Laminar that accepts connections and never answers takes one thread in four, however many pages ask it."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.utils.html import escape

from benchmarks.browser import Response
from reviewapp.laminar import call_slots
from reviewapp.queues.models import QueueItem
from tests.faults.database_state import create_test_data, signed_in_browser
from tests.faults.processes import ForkServer, run_web, wait_until
from tests.faults.reviewers import make_form_data
from tests.laminar.local_server import run_server

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.django_db(transaction=True)]

VIEWS = 50
PROCESSES = 2


def test_it_saves_while_fifty_pages_ask_a_silent_laminar(fork_server: ForkServer) -> None:
    is_over = threading.Event()

    def keep_silent(connection: socket.socket) -> None:
        is_over.wait()

    with run_server(keep_silent) as laminar, run_web(fork_server) as web:
        create_test_data(laminar.base_url, items=VIEWS, people=VIEWS + 1)
        browsers = [signed_in_browser(f"reviewer-{number}", web.url) for number in range(VIEWS)]
        answered: list[Response] = []

        def open_view(number: int) -> None:
            answered.append(browsers[number].get("/p/support/traces/?source=laminar"))

        saver = signed_in_browser(f"reviewer-{VIEWS}", web.url)
        with ThreadPoolExecutor(VIEWS) as threads:
            views = [threads.submit(open_view, number) for number in range(VIEWS)]
            wait_until(lambda: len(laminar.requests) > 0)
            for pk in QueueItem.objects.values_list("pk", flat=True)[:20]:
                fields = make_form_data("0", "Note", uuid4())
                assert saver.post(f"/p/support/items/{pk}/", fields).status == 302
            # The pages that got no slot have been answered; those that did are still waiting.
            wait_until(lambda: len(answered) >= VIEWS - PROCESSES * call_slots.SLOTS)
            busy = [response for response in answered if escape(call_slots.BUSY) in response.body]
            assert len(busy) >= VIEWS - PROCESSES * call_slots.SLOTS
            assert 0 < len(laminar.requests) <= PROCESSES * call_slots.SLOTS
            is_over.set()
            for view in views:
                view.result()
        assert all(response.status == 200 and "Search Laminar again" in response.body for response in answered)
