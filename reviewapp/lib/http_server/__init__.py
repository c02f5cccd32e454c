"""Gunicorn's threaded worker for clients of any speed: threads see complete requests only and never wait to send."""

from threading import Event

_stopping = Event()


def set_stopping() -> None:
    """Record that this process finishes its requests and takes no new ones."""
    _stopping.set()


def is_stopping() -> bool:
    """Whether this process was asked to stop."""
    return _stopping.is_set()
