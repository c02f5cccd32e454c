"""Time a lead's filters in an environment with `benchmarks.mirror_data`: `python -m benchmarks.filter_timing`.

Each time is the median of many, in milliseconds; a page is the work of the view's function, from the query to the
values shown. `mib` is this process's peak memory in MiB.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from urllib.parse import urlencode

import django

django.setup()

from django.db import transaction  # noqa: E402 - models exist only after setup
from django.http import QueryDict  # noqa: E402

from benchmarks.mirror_data import EXTRA_METADATA  # noqa: E402
from reviewapp.accounts.models import Project  # noqa: E402
from reviewapp.lib import canonical_json, clock  # noqa: E402
from reviewapp.traces.filters.filter_view import read_view  # noqa: E402
from reviewapp.traces.filters.paging import get_page  # noqa: E402
from reviewapp.traces.metadata import merge  # noqa: E402
from reviewapp.traces.models import Trace  # noqa: E402

TIMES = 25
COMMON = ("region=us-west", "environment=production")
VIEWS = {
    "first_ms": COMMON,
    "all_ms": (),
    "one_pair_ms": ("environment=production",),
    "worst_pair_ms": ("customer_tier=free", "billing=invoice"),
    "same_key_ms": ("environment=production", "environment=staging"),
    "rare_ms": ("incident=true",),
    "rare_pair_ms": ("incident=true", *COMMON),
    "absent_ms": ("environment=Production", "region=us-west"),
    "twelve_pairs_ms": ("environment=production", "region=us-west", "customer_tier=pro", "billing=invoice",
                        "feature_flag=baseline", *(f"{key}={value}" for key, value in EXTRA_METADATA.items())),
}  # fmt: skip
# Conditions beside pairs: by an index each; and the longest search, for a text that no trace has.
SEARCHES = {"session_ms": "session=session-7", "user_ms": "user=user-7", "failed_search_ms": "text=nowhere"}


def measure() -> dict[str, object]:
    project = Project.objects.get()
    figures: dict[str, object] = {}
    for name, pairs in VIEWS.items():
        figures[name] = _time(partial(_load_page, project, pairs))
    for name, query in SEARCHES.items():
        figures[name] = _time(partial(get_page, read_view(QueryDict(query)), project))
    cursor = ""
    for _ in range(99):
        cursor = get_page(read_view(QueryDict(_query(COMMON))), project, cursor).older
    if cursor:
        figures["page_100_ms"] = _time(lambda: _load_page(project, COMMON, before=cursor))
        figures["newer_ms"] = _time(lambda: _load_page(project, COMMON, after=cursor))
    oldest_start = Trace.objects.order_by("start_time").values_list("start_time", flat=True)[0] or clock.now()

    since, end = oldest_start.isoformat(), (oldest_start + timedelta(hours=18)).isoformat()
    figures["range_ms"] = _time(lambda: _load_page(project, COMMON, since=since, end=end))
    traces = list(Trace.objects.order_by("-id")[: 2 * TIMES].values_list("trace_id", flat=True))
    patches = iter(enumerate(traces))

    def patch() -> None:
        number, trace_id = next(patches)
        values = {"score": 1, "notes": f"Note {number}.", "needs_review": False, "reviewer": "lead", "review_rev": 1}
        with transaction.atomic():
            merge.apply_patch(project, merge.lock_trace(project, trace_id), values, review_count=1)

    figures["patch_ms"] = _time(patch)
    figures["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _load_page(project: Project, pairs: tuple[str, ...], *, since: str = "", end: str = "", **cursor: str) -> int:
    page = get_page(read_view(QueryDict(_query(pairs, since, end))), project, **cursor)
    rows = [(trace, trace.seconds, canonical_json.raw_members(trace.metadata)) for trace in page.traces]
    return len(rows)


def _query(pairs: tuple[str, ...], since: str = "", end: str = "") -> str:
    return urlencode([("m", pair) for pair in pairs] + [("from", since), ("to", end)])


def _time(function: Callable[[], object]) -> float:
    times = []
    for _ in range(TIMES):
        started_at = time.perf_counter()
        function()
        times.append((time.perf_counter() - started_at) * 1000)
    return round(statistics.median(times), 2)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()))
