"""A local server that misbehaves on a real socket, and clients with a fixed response without a socket."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from reviewapp.laminar import AsyncLaminar, Laminar

KEY = "Qz7Lm2Xv9RtB4nKc8WpY3sHd6FgJ1aUeQz7Lm2Xv9RtB4nKc8WpY3sHd6FgJ1aUe"
Handler = Callable[[socket.socket], None]


@dataclass
class LocalServer:
    """A running server. `requests` are the raw bytes of each request."""

    base_url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def allowed_hosts(self) -> list[str]:
        return [self.base_url.split("//")[1]]

    def laminar(self, **options: Any) -> Laminar:
        return Laminar(self.base_url, KEY, allowed_hosts=self.allowed_hosts, **options)

    def async_laminar(self, **options: Any) -> AsyncLaminar:
        return AsyncLaminar(self.base_url, KEY, allowed_hosts=self.allowed_hosts, **options)


@contextlib.contextmanager
def run_server(handler: Handler, *, tls: ssl.SSLContext | None = None) -> Iterator[LocalServer]:
    """Serve each request with `handler` until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if tls else "http"
    server = LocalServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.connections += 1
                threading.Thread(target=_serve_connection, args=(connection, handler, server, tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def respond_with(body: bytes = b"", status: str = "200 OK", *headers: str) -> Handler:
    """Send a complete response and keep the connection open."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + body)


def respond_slowly(head: bytes, chunk: bytes, pause: float) -> Handler:
    """Send `head`, then `chunk` forever."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(chunk)
            time.sleep(pause)

    return handle


def client_with_response(status: int = 200, body: object = b"", **headers: str) -> Laminar:
    """Return a client that gets this response to every call. A body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return client_with_handler(lambda request: httpx.Response(status, content=content, headers=renamed))


def client_with_handler(handler: Callable[[httpx.Request], httpx.Response]) -> Laminar:
    """Return a client whose requests are handled by `handler`."""
    return Laminar("https://laminar.test", KEY, transport=httpx.MockTransport(handler))


def _serve_connection(
    connection: socket.socket, handler: Handler, server: LocalServer, tls: ssl.SSLContext | None
) -> None:
    with contextlib.suppress(OSError), tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
        while request := _read_request(stream):
            server.requests.append(request)
            handler(stream)


def _read_request(stream: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = stream.recv(65536)
        if not chunk:
            return b""
        received += chunk
        if received.startswith(b"\x16"):  # a TLS handshake has no blank line
            return received
    head, _, body = received.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(sizes[0] if sizes else 0):
        body += stream.recv(65536)
    return head + b"\r\n\r\n" + body
