"""The other end of the wire: a server on a real socket that misbehaves as told, and answers without a socket."""

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
    """Where the server listens, and what it was sent, one text per request."""

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
def run_server(act: Handler, *, tls: ssl.SSLContext | None = None) -> Iterator[LocalServer]:
    """Serve each request by `act` until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if tls else "http"
    far = LocalServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                far.connections += 1
                threading.Thread(target=_talk, args=(connection, act, far, tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield far
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def respond_with(body: bytes = b"", status: str = "200 OK", *headers: str) -> Handler:
    """Answer in full and keep the connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + body)


def respond_slowly(head: bytes, drop: bytes, pause: float) -> Handler:
    """Send `head`, then `drop` for ever."""

    def act(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(pause)

    return act


def client_with_response(status: int = 200, body: object = b"", **headers: str) -> Laminar:
    """A client whose every call gets this answer; a body that is not bytes goes as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client_with_handler(lambda request: httpx.Response(status, content=content, headers=named))


def client_with_handler(handler: Callable[[httpx.Request], httpx.Response]) -> Laminar:
    """A client whose calls end in `handler`."""
    return Laminar("https://laminar.test", KEY, transport=httpx.MockTransport(handler))


def _talk(connection: socket.socket, act: Handler, far: LocalServer, tls: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
        while request := _request(stream):
            far.requests.append(request)
            act(stream)


def _request(stream: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        part = stream.recv(65536)
        if not part:
            return b""
        received += part
        if received.startswith(b"\x16"):  # a TLS greeting, which has no blank line
            return received
    head, _, body = received.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(sizes[0] if sizes else 0):
        body += stream.recv(65536)
    return head + b"\r\n\r\n" + body
