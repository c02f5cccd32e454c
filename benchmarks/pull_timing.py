"""Pull new traces as the worker does, in an empty database: `python -m benchmarks.pull_timing URL KEY TRACES`."""

import asyncio
import json
import sys
import time
from datetime import timedelta

import django

django.setup()

from django.conf import settings  # noqa: E402 - models exist only after setup

from reviewapp.accounts.models import Project  # noqa: E402
from reviewapp.keys.models import LaminarKey  # noqa: E402
from reviewapp.laminar import Laminar  # noqa: E402
from reviewapp.lib import clock  # noqa: E402
from reviewapp.traces.models import Trace  # noqa: E402
from reviewapp.worker.loop import Worker  # noqa: E402


def pull(url: str, key: str, traces: int) -> dict[str, float]:
    """Return traces per second, and the store's median response times in milliseconds."""
    project = Project.objects.create(slug="bench", name="Bench", base_url=url)
    LaminarKey.build_encrypted(project, key, LaminarKey.Kind.FULL, "admin").save()
    started_at = time.perf_counter()
    asyncio.run(Worker().run_once())
    seconds = time.perf_counter() - started_at
    assert Trace.objects.pulled().count() == traces
    client = Laminar(url, key, allowed_hosts=settings.ALLOWED_LAMINAR_HOSTS)
    ids = list(Trace.objects.values_list("trace_id", flat=True)[:500])
    now = clock.now()
    requests = {
        "store_match_ms": lambda: client.find_traces([("region", "us-west"), ("environment", "production")]),
        "store_rare_ms": lambda: client.find_traces([("region", "nowhere")]),
        "store_new_ms": lambda: client.find_traces([], since=now - timedelta(hours=2), limit=500),
        "store_deep_ms": lambda: client.find_traces([], until=now - timedelta(days=40), limit=500),
        "store_ids_ms": lambda: client.traces(ids),
    }
    medians: dict[str, float] = {}
    for name, request in requests.items():
        times = []
        for _ in range(3):
            started_at = time.perf_counter()
            request()
            times.append((time.perf_counter() - started_at) * 1000)
        medians[name] = sorted(times)[1]
    return {"per_s": traces / seconds, **medians}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(pull(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
