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
