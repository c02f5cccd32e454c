"""Slow clients, of the review app as gunicorn runs it and of the trace store, on real sockets."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from benchmarks.environment import fresh_environment
from tests.tracestore.store_calls import send_span
from tests.tracestore_server import RunningStore, run_store, tracestore

__all__ = ["tracestore"]

HALF_HEAD = b"POST /health HTTP/1.1\r\nHost: localhost\r\nX-More: "
HALF_BODY = b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf of it"
LIMITS = {"REQUEST_HEAD_SECONDS": "2", "REQUEST_BODY_SECONDS": "3", "RESPONSE_SEND_SECONDS": "2"}
SLOW_CLIENTS = 50


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, a page that reads its database, and the key for it."""

    url: str
    page: str
    headers: dict[str, str]

    def answers(self) -> list[int]:
        """Returns the status of the probe and of the page, each on a connection of its own."""
        return [
            httpx.get(f"{self.url}/health", timeout=60).status_code,
            httpx.get(f"{self.url}{self.page}", headers=self.headers, timeout=60).status_code,
        ]

    def connect(self, sent: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=60)
        client.sendall(sent)
        return client

    def exchange(self, sent: bytes, *, is_ended: bool = False) -> bytes:
        """Send bytes, and their end if `is_ended`. Returns all that arrives until the server closes."""
        with self.connect(sent) as client:
            if is_ended:
                client.shutdown(socket.SHUT_WR)
            return receive_all(client)


def receive_all(client: socket.socket) -> bytes:
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def receive_until(client: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) <= size and (data := client.recv(65536)):
        received += data
    return received


@contextmanager
def run_app(limits: dict[str, str]) -> Iterator[Server]:
    with fresh_environment(None) as environment:
        environment.env.update(limits)
        with environment.web() as url:
            yield Server(url, "/accounts/login/", {})


@pytest.fixture(scope="module", params=["app", "store"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        for name, value in LIMITS.items():
            environment.setenv(name, value)
        if request.param == "app":
            yield stack.enter_context(run_app(LIMITS))
        else:
            store = stack.enter_context(run_store(tmp_path_factory.mktemp("store")))
            yield Server(store.url, "/v1/project", {"Authorization": f"Bearer {store.full_key}"})


@pytest.mark.parametrize("sent", [b"", HALF_HEAD, HALF_BODY], ids=["nothing", "half a head", "half a body"])
def test_it_answers_beside_half_sent_requests(server: Server, sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            stack.enter_context(server.connect(sent))
        assert server.answers() == [200, 200]


@pytest.mark.slow
def test_it_answers_beside_more_connections_than_an_address_may_have(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(450):
            stack.enter_context(server.connect(HALF_HEAD))
        assert server.answers() == [200, 200]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [HALF_HEAD, HALF_BODY], ids=["head", "body"])
def test_it_refuses_a_request_that_does_not_arrive_in_time(server: Server, sent: bytes) -> None:
    assert server.exchange(sent).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.slow
def test_it_closes_a_connection_that_sends_nothing(server: Server) -> None:
    assert server.exchange(b"") == b""


@pytest.mark.slow
@pytest.mark.parametrize("sent", [HALF_HEAD, HALF_BODY], ids=["head", "body"])
def test_it_refuses_a_client_that_sends_byte_by_byte(server: Server, sent: bytes) -> None:
    with server.connect(sent) as client:
        is_closed = threading.Event()

        def send_slowly() -> None:
            while not is_closed.wait(0.2):
                try:
                    client.sendall(b"a")
                except OSError:
                    return

        sender = threading.Thread(target=send_slowly)
        sender.start()
        received = receive_all(client)
        is_closed.set()
        sender.join()
    assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.slow
def test_it_answers_beside_clients_that_do_not_read_their_response(tracestore: RunningStore) -> None:
    """The store's threads would all wait to send: the response is larger than the buffers of both sides."""
    trace_id = str(uuid4())
    with tracestore.client() as client:
        send_span(client, trace_id, {"lmnr.span.input": "x" * 4_000_000})
    body = json.dumps({"query": "SELECT input FROM spans WHERE trace_id = {id:UUID}", "parameters": {"id": trace_id}})
    head = f"POST /v1/sql/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {tracestore.full_key}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    store = Server(tracestore.url, "/v1/project", {"Authorization": f"Bearer {tracestore.full_key}"})
    with ExitStack() as stack:
        clients = [stack.enter_context(store.connect(request)) for _ in range(10)]
        assert [client.recv(12) for client in clients] == [b"HTTP/1.1 200"] * 10
        assert store.answers() == [200, 200]
        assert len(receive_until(clients[0], 4_000_000)) > 4_000_000


def test_it_refuses_a_body_shorter_than_announced(server: Server) -> None:
    assert server.exchange(HALF_BODY, is_ended=True).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_it_answers_requests_in_pieces_and_several_at_once(server: Server) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(request)):
            client.sendall(request[position : position + 1])
        client.sendall(request + request + last)
        assert receive_all(client).count(b"HTTP/1.1 200 OK\r\n") == 4


def test_it_asks_for_a_body_that_waits_to_be_asked_for(server: Server) -> None:
    head = b"POST /v1/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n"
    head += b"Content-Type: application/x-www-form-urlencoded\r\n"
    with server.connect(head + b"Expect: 100-continue\r\n\r\n") as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert b" 404 Not Found\r\n" in receive_all(client)


@pytest.mark.slow
def test_it_reads_a_form_in_chunks() -> None:
    """Without the form, its token would be missing, and the response were 403."""
    with run_app({}) as app, httpx.Client(base_url=app.url) as client:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(app.page).text)
        assert token is not None
        form = f"csrfmiddlewaretoken={token[1]}&username=nobody&password=wrong".encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": app.url}
        response = client.post(app.page, content=iter([form[:20], form[20:]]), headers=headers)
    assert "Transfer-Encoding" in response.request.headers
    assert response.status_code != 403
    assert 'value="nobody"' in response.text


@pytest.mark.slow
def test_it_does_not_wait_for_half_a_request_to_stop(tmp_path: Path) -> None:
    """It would close the connection without an answer once its time to stop is over."""
    with ExitStack() as stack:
        with run_store(tmp_path) as store:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", store.port), timeout=60))
            client.sendall(HALF_BODY)
            assert httpx.get(f"{store.url}/health").status_code == 200
        assert receive_all(client).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.slow
def test_it_leaves_long_addresses_to_the_page(tmp_path: Path) -> None:
    with run_app({}) as app:
        assert httpx.get(f"{app.url}{app.page}?next=%2F{'a' * 20_000}").status_code == 200
