"""The simulated reviewers report each answer that a healthy review desk does not give."""

import socket
import threading

from benchmarks.browser import Browser
from tests.faults.reviewers import Reviewer
from tests.laminar.local_server import respond_with, run_server


def test_it_reports_a_save_that_was_refused_for_lack_of_space() -> None:
    statuses = iter(["507 Insufficient Storage", "503 Service Unavailable", "302 Found"])

    def answer(connection: socket.socket) -> None:
        respond_with(b"", next(statuses), "Location: /")(connection)

    with run_server(answer) as server:
        reviewer = Reviewer(server.base_url, "reviewer-0", [7], threading.Event())
        reviewer.save(Browser(server.base_url, {}), 7, 0)
    assert [line.partition(" ")[0] for line in reviewer.unexpected] == ["507"]
    assert [save.tries for save in reviewer.acknowledged] == [3]
