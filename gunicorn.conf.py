"""How the review app is served: `gunicorn reviewapp.wsgi` reads this file by itself."""

import gc
import os
import sys

worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Few: threads of one process fight for its interpreter, and eight people saving together get more done with two.
threads = 2
# Longer than a reviewer reads an item: the next submit finds its connection open.
keepalive = 75
timeout = 60
graceful_timeout = 25
loglevel = "warning"


def post_worker_init(worker: object) -> None:
    # A thread that holds the database must not wait 5 ms, Python's default, for one that renders a page.
    sys.setswitchinterval(0.0001)
    # What is loaded by now stays: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
