"""A TCP proxy to the test's PostgreSQL server that can stop forwarding without closing anything, as a dead network."""

import contextlib
import math
import os
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.db import connection


@dataclass
class HangingProxy:
    """Forwards connections to `target`; none of their bytes while `is_open` is not set.

    `swallow` does so for some of its connections, for ever.
    """

    listener: socket.socket
    target: tuple[str, int] | str
    is_open: threading.Event = field(default_factory=threading.Event)
    servers: list[socket.socket] = field(default_factory=list)
    # Connections that are forwarded, each by its client's socket, and the number of those that no longer are.
    forwarded: set[socket.socket] = field(default_factory=set)
    swallowed: int = 0
    is_closed: bool = False

    @property
    def database_url(self) -> str:
        user = urlsplit(os.environ["DATABASE_URL"]).netloc.rpartition("@")[0]
        host, port = self.listener.getsockname()
        return f"postgres://{user}@{host}:{port}/{connection.settings_dict['NAME']}"

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self.is_open.wait()
        if self.is_closed:
            return
        server = socket.socket(socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET)
        server.connect(self.target)
        self.servers.append(server)
        self.forwarded.add(client)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._forward, args=(client, source, sink), daemon=True).start()

    def swallow(self, share: float = 1.0) -> None:
        """Forward nothing more for this share of the connections that are open now, at least one."""
        candidates = list(self.forwarded)
        chosen = random.sample(candidates, min(len(candidates), math.ceil(share * len(candidates))))
        self.forwarded.difference_update(chosen)
        self.swallowed += len(chosen)

    def _forward(self, client: socket.socket, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.is_open.wait()
                if client in self.forwarded:
                    sink.sendall(data)
            if client in self.forwarded:
                self.forwarded.discard(client)
                sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def run_proxy() -> Iterator[HangingProxy]:
    """Run a proxy that forwards until its `is_open` is cleared."""
    url = urlsplit(os.environ["DATABASE_URL"])
    host, port = parse_qs(url.query).get("host", [url.hostname or "127.0.0.1"])[0], url.port or 5432
    target = str(Path(host) / f".s.PGSQL.{port}") if host.startswith("/") else (host, port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = HangingProxy(listener, target)
        proxy.is_open.set()
        threading.Thread(target=proxy.accept, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.is_closed = True
            proxy.is_open.set()
            listener.shutdown(socket.SHUT_RDWR)
            for server in proxy.servers:
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
