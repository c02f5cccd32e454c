"""Run gunicorn's threaded worker in a single process: less memory, and SQLite has only one writer anyway.

Queries run in other processes, since anyone with a key may send one that needs more time or memory than there is.
"""

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from reviewapp.lib.http_server.worker import Connection, Worker
from reviewapp.tracestore import settings
from reviewapp.tracestore.sql import pool
from reviewapp.tracestore.wsgi import application

_BACKLOG = 256
# What a gRPC client sends first.
_HTTP2_PREFACE = b"PRI * HTTP/2.0"
_OPTIONS: dict[str, Any] = {
    "worker_class": "reviewapp.lib.http_server.worker.Worker",
    "threads": settings.THREADS,
    "keepalive": 75,
    "graceful_timeout": 10,
    "accesslog": None,
    "loglevel": "error",
}


class ListenError(OSError):
    """The port cannot be opened; the message is shown to the operator."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 picks any free port. Raises ListenError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it. Without it, each response with a body waits 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise ListenError(
            f"The trace store cannot listen on {host} port {port}: {reason}. Nothing was changed."
            " Stop the process that uses this port, or choose another --port."
        ) from None
    return listener


def serve(listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve requests until SIGTERM or SIGINT, then finish those in progress.

    Calls `on_ready` once the server accepts requests and handles signals.
    """
    pool.start()
    application = _Application()
    config = application.cfg
    config.set("post_worker_init", lambda worker: on_ready())
    try:
        _Worker(0, os.getppid(), [listener], application, config.timeout, config, Logger(config)).init_process()
    finally:
        pool.stop()


class _Application(BaseApplication):  # type: ignore[misc]
    def load_config(self) -> None:
        for name, value in _OPTIONS.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        return application


class _Worker(Worker):
    # There is one store: nobody could take over what it no longer accepts.
    drain_seconds = 0.0
    has_noted_grpc = False

    def _feed(self, connection: Connection, data: bytes) -> bool:
        if data.startswith(_HTTP2_PREFACE) and not connection.parser.is_started and not self.has_noted_grpc:
            self.has_noted_grpc = True
            sys.stderr.write(
                "A gRPC client cannot send traces here: the trace store accepts them over HTTP only. Initialise"
                " Laminar's SDK with force_http=True (Python) or forceHttp: true (TypeScript).\n"
            )
            sys.stderr.flush()
        return super()._feed(connection, data)

    def is_parent_alive(self) -> bool:
        # There is no gunicorn arbiter: the parent is the process that started the store, and may exit.
        return True

    def handle_quit(self, sig: int, frame: Any) -> None:
        self.handle_exit(sig, frame)
