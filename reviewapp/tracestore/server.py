"""gunicorn's threaded worker as one process: the store stays small, and there is one writer anyway."""

import os
import socket
from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from reviewapp.tracestore.wsgi import application

THREADS = 8
_BACKLOG = 256
_OPTIONS: dict[str, Any] = {
    "worker_class": "gthread",
    "threads": THREADS,
    "keepalive": 75,
    "graceful_timeout": 10,
    "accesslog": None,
    "loglevel": "error",
}


class PortTaken(OSError):
    """The port cannot be listened on; the message is a sentence for a person."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections; port 0 takes any free one. Raises PortTaken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise PortTaken(
            f"The trace store cannot listen on {host} port {port}: {reason}. Nothing was changed."
            " Stop what listens there, or give another --port."
        ) from None
    return listener


def serve(listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT; what is under way is finished first.

    `ready` is called when requests are answered and signals heeded.
    """
    application = _Application()
    config = application.cfg
    config.set("post_worker_init", lambda worker: ready())
    _Worker(0, os.getppid(), [listener], application, config.timeout, config, Logger(config)).init_process()


class _Application(BaseApplication):  # type: ignore[misc]
    def load_config(self) -> None:
        for name, value in _OPTIONS.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        return application


class _Worker(ThreadWorker):  # type: ignore[misc]
    def is_parent_alive(self) -> bool:
        # There is no arbiter to outlive: the parent is whoever started the store, and may go.
        return True

    def handle_quit(self, sig: int, frame: Any) -> None:
        self.handle_exit(sig, frame)
