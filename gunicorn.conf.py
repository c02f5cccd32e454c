"""How the review app is served: `gunicorn reviewapp.wsgi` reads this file by itself."""

import gc
import os

worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
# Longer than a reviewer reads an item: the next submit finds its connection open.
keepalive = 75
timeout = 60
graceful_timeout = 25
loglevel = "warning"


def post_worker_init(worker: object) -> None:
    # What is loaded by now stays: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
