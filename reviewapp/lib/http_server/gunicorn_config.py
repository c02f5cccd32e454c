"""Gunicorn's configuration, whose names are gunicorn's; `review-desk serve` and `gunicorn.conf.py` use it."""

import gc
import math
import os
import sys

from reviewapp.lib.http_server import limits

# Keeps slow clients away from the threads; its limits are in reviewapp/lib/http_server/limits.py.
worker_class = "reviewapp.lib.http_server.worker.Worker"
# Without it, gunicorn would listen on all addresses as soon as PORT is set.
bind = os.environ.get("BIND") or f"127.0.0.1:{os.environ.get('PORT') or 8080}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# What asks Laminar has threads of its own, for each four of these one that waits (reviewapp/laminar/call_slots.py).
threads = max(4, int(os.environ.get("WEB_THREADS", "4")))
# Seconds; longer than a reviewer reads an item, so that the next submit reuses its connection.
keepalive = 75
timeout = 60
# No limit but that of the whole head, 128 KiB: a page says what is too long and keeps it, gunicorn's bare 414 does not.
limit_request_line = 0
# Longer than REQUEST_SECONDS, after which a request ends whatever it waits for, from the end of DRAIN_SECONDS.
graceful_timeout = 30 + math.ceil(limits.DRAIN_SECONDS)
loglevel = "warning"


def post_worker_init(worker: object) -> None:
    # A thread that holds the database lock must not wait 5 ms, Python's default, for one that renders a page.
    sys.setswitchinterval(0.0001)
    # Exclude everything loaded so far from garbage collection: it stays in memory anyway.
    gc.collect()
    gc.freeze()
