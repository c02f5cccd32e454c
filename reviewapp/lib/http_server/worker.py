"""Gunicorn's threaded worker, with its threads kept from slow clients.

One loop per process reads every request to its end and sends what a response left behind; only complete requests
reach the threads. Gunicorn itself reads requests and sends responses in its threads, without a deadline: as many half
requests as threads stop it.
"""

import errno
import math
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.config import Config
from gunicorn.errors import ConfigError
from gunicorn.workers.gthread import TConn, ThreadWorker

from reviewapp.lib.http_server import admission, is_stopping, limits, set_stopping
from reviewapp.lib.http_server.buffered_socket import BufferedSocket
from reviewapp.lib.http_server.closing import close_listener
from reviewapp.lib.http_server.request_buffer import RequestBuffer, error_response

_RECEIVE_BYTES = 256 * 1024
_SWEEP_SECONDS = 0.25
_RETRY_ERRORS = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}
_FILE_LIMIT_ERRORS = {errno.EMFILE, errno.ENFILE}


class Connection(TConn):  # type: ignore[misc]
    """A client's connection. It is waiting for its client, or a thread works on its request."""

    def __init__(self, config: Config, accepted: socket.socket, client: Any, server: Any) -> None:
        super().__init__(config, BufferedSocket(accepted), client, server)
        # Gunicorn's threads neither wait for data nor create a parser.
        self.initialized = self.data_ready = True
        # Clients of a Unix socket have no address.
        self.address = client[0] if isinstance(client, tuple) and client else ""
        self.parser = RequestBuffer(config, client, time.monotonic() + limits.HEAD_SECONDS)

    @property
    def is_half_read(self) -> bool:
        """Whether the client sent a part of a request only."""
        return self.parser.is_started and not self.parser.is_complete


class Worker(ThreadWorker):  # type: ignore[misc]
    """Keeps connections that wait for their client in `waiting`, oldest first."""

    # Of gunicorn: whether to go on accepting.
    alive: bool
    drain_seconds = limits.DRAIN_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.worker_connections: int = min(self.cfg.worker_connections, limits.CONNECTIONS)
        self.waiting: dict[Connection, None] = {}
        self.connections_by_address: Counter[str] = Counter()
        self.next_sweep = 0.0
        self.stop_deadline = 0.0
        self.drain_deadline = math.inf
        # Probes have threads of their own: they are answered however long all others wait for the database.
        self.probe_pools = {path: ThreadPoolExecutor(limits.PROBE_THREADS, path) for path in limits.PROBE_PATHS}
        self.outside_pool = ThreadPoolExecutor(self.cfg.threads // 4 + 1, "outside")

    @classmethod
    def check_config(cls, cfg: Config, log: Any) -> None:
        """Raises ConfigError for a certificate: sockets with TLS cannot be read without waiting here."""
        if cfg.is_ssl:
            raise ConfigError("This server does not speak TLS itself. Put a proxy in front of it.")
        super().check_config(cfg, log)

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, in place of an old one that waits for its client if there are too many."""
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in _FILE_LIMIT_ERRORS:
                self._close_oldest(lambda connection: True)
            elif error.errno not in _RETRY_ERRORS:
                raise
            return
        connection = Connection(self.cfg, accepted, client, listener.getsockname())
        self.nr_conns += 1
        self.connections_by_address[connection.address] += 1
        self._wait(connection, selectors.EVENT_READ, self._receive, connection.parser.deadline)
        if connection.address and self.connections_by_address[connection.address] > limits.CONNECTIONS_PER_ADDRESS:
            self._close_oldest(lambda other: other.address == connection.address and other is not connection)
        if self.nr_conns >= self.worker_connections:
            self._close_oldest(lambda other: other is not connection)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM, let the readiness probe fail at once, and stop accepting `drain_seconds` later."""
        set_stopping()
        self.drain_deadline = min(self.drain_deadline, time.monotonic() + self.drain_seconds)
        # Wakes up the loop.
        self.method_queue.defer(lambda: None)

    def enqueue_req(self, conn: Connection) -> None:
        """Let a thread answer a complete request."""
        if is_stopping() and conn.parser.message is not None:
            # The client opens its next connection to another process.
            conn.parser.message.force_close()
        path = getattr(conn.parser.message, "path", "")
        usual_pool = self.outside_pool if path.endswith(limits.OUTSIDE_SUFFIX) else self.tpool
        future = self.probe_pools.get(path.removesuffix("/"), usual_pool).submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def finish_request(self, conn: Connection, fs: "Future[bool]") -> None:
        """After the thread's work: send what is left of the response, then read on or close."""
        conn.parser.close()
        try:
            can_reuse = bool(fs.result())
        except Exception:  # noqa: BLE001 -- logged by the thread
            can_reuse = False
        self._flush(conn, partial(self._read_next, conn) if can_reuse else partial(self._linger, conn))

    def murder_keepalived(self, force: bool = False) -> None:
        """Close the connections whose deadline is over, or all that wait."""
        now = time.monotonic()
        if now < self.next_sweep and not force:
            return
        self.next_sweep = now + _SWEEP_SECONDS
        for connection in [other for other in self.waiting if force or other.timeout <= now]:
            if connection.is_half_read and not force:
                self._refuse(connection, 408, "The request did not arrive in time. Nothing was saved. Send it again.")
            else:
                self._close(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        self.stop_deadline = deadline
        for connection in self.waiting:
            connection.timeout = self._limit(connection, connection.timeout)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        until_drained = max(0.0, self.drain_deadline - time.monotonic())
        super().wait_for_and_dispatch_events(min(timeout, until_drained if self.alive else 0.1))
        if self.alive and time.monotonic() >= self.drain_deadline:
            self._stop_accepting()
            self.alive = False

    def _stop_accepting(self) -> None:
        """Accept what has connected already and close the listeners, so that whoever comes later is refused at once.

        Gunicorn leaves them open until the last request ends: clients connect, wait, and are reset in the end.
        """
        self.set_accept_enabled(False)
        for listener in self.sockets:
            close_listener(listener, partial(self.accept, listener))

    # Steps of a connection: read a request, (a thread works), flush the response, read again or linger.

    def _read_next(self, connection: Connection) -> None:
        received = connection.parser.rest
        connection.parser = RequestBuffer(self.cfg, connection.client, time.monotonic() + self.cfg.keepalive)
        if not (received and self._feed(connection, received)):
            self._wait(connection, selectors.EVENT_READ, self._receive, connection.parser.deadline)

    def _receive(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)
            return
        if data:
            self._feed(connection, data)
        elif connection.is_half_read:
            self._refuse(connection, 400, "The request ended before its announced end. Nothing was saved.")
        else:
            self._close(connection)

    def _feed(self, connection: Connection, data: bytes) -> bool:
        """Add bytes to the request. Returns whether the connection no longer waits for more of it."""
        return self._proceed(connection, partial(connection.parser.feed, data))

    def _proceed(self, connection: Connection, read: Callable[[], None]) -> bool:
        """Read a part of the request. Returns whether the connection no longer waits for more of it."""
        request = connection.parser
        try:
            read()
        except OSError:
            self._refuse(connection, 503, "The server cannot store the request now. Nothing was saved. Try again.")
            return True
        connection.timeout = self._limit(connection, request.deadline)
        if request.needs_admission:
            self._check_sender(connection)
            return True
        if request.expects_continue():
            connection.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.is_complete:
            self._stop_waiting(connection)
            self.enqueue_req(connection)
        return request.is_complete

    def _check_sender(self, connection: Connection) -> None:
        """Let a thread ask whether the sender may send a file; nothing is received meanwhile."""
        self._stop_waiting(connection)
        future = self.tpool.submit(admission.is_admitted, connection.parser.message.headers)
        future.add_done_callback(lambda done: self.method_queue.defer(self._admit, connection, done))

    def _admit(self, connection: Connection, check: "Future[bool]") -> None:
        # Without an answer of the database, the application says so itself.
        is_known = check.exception() is None and check.result()
        if not self._proceed(connection, partial(connection.parser.admit, is_known=is_known)):
            self._wait(connection, selectors.EVENT_READ, self._receive, connection.parser.deadline)

    def _flush(self, connection: Connection, go_on: Callable[[], None]) -> None:
        try:
            connection.sock.flush()
        except (OSError, ValueError):
            self._close(connection)
            return
        if connection.sock.is_flushed:
            self._stop_waiting(connection)
            go_on()
        else:
            deadline = time.monotonic() + limits.SEND_SECONDS
            self._wait(connection, selectors.EVENT_WRITE, partial(self._flush, go_on=go_on), deadline)

    def _refuse(self, connection: Connection, status: int, sentence: str) -> None:
        self._stop_waiting(connection)
        try:
            connection.sock.sendall(error_response(status, sentence))
        except OSError:
            self._close(connection)
            return
        self._flush(connection, partial(self._linger, connection))

    def _linger(self, connection: Connection) -> None:
        """Close once the client has stopped sending: closing earlier could cut off the response."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        self._wait(connection, selectors.EVENT_READ, self._discard, time.monotonic() + limits.LINGER_SECONDS)

    def _discard(self, connection: Connection) -> None:
        try:
            is_open = bool(connection.sock.recv(_RECEIVE_BYTES))
        except BlockingIOError:
            return
        except OSError:
            is_open = False
        if not is_open:
            self._close(connection)

    def _wait(self, connection: Connection, event: int, act: Callable[[Connection], None], deadline: float) -> None:
        self._stop_waiting(connection)
        connection.timeout = self._limit(connection, deadline)
        try:
            self.poller.register(connection.sock, event, lambda _: act(connection))
        except (OSError, ValueError):
            self._close(connection)
            return
        self.waiting[connection] = None

    def _stop_waiting(self, connection: Connection) -> None:
        if connection in self.waiting:
            del self.waiting[connection]
            self.poller.unregister(connection.sock)

    def _limit(self, connection: Connection, deadline: float) -> float:
        """A stopping worker waits for responses to be sent, but not for requests."""
        return min(deadline, self.stop_deadline) if self.stop_deadline and connection.sock.is_flushed else deadline

    def _close_oldest(self, is_candidate: Callable[[Connection], bool]) -> None:
        """Close the oldest half-read connection among the candidates; if there is none, the oldest that waits."""
        candidates = [connection for connection in self.waiting if is_candidate(connection)]
        victim = next((connection for connection in candidates if connection.is_half_read), None)
        victim = victim or next(iter(candidates), None)
        if victim is not None:
            self._close(victim)

    def _close(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        connection.parser.close()
        self.nr_conns -= 1
        self.connections_by_address[connection.address] -= 1
        if not self.connections_by_address[connection.address]:
            del self.connections_by_address[connection.address]
        connection.close()
