"""Gunicorn configuration; `gunicorn reviewapp.wsgi` reads this file automatically."""

from reviewapp.lib.http_server.gunicorn_config import (  # noqa: F401 -- read by gunicorn
    bind,
    graceful_timeout,
    keepalive,
    limit_request_line,
    loglevel,
    post_worker_init,
    threads,
    timeout,
    worker_class,
    workers,
)
