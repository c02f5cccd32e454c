"""Save patches at a steady rate while a worker runs: `python -m benchmarks.patch_timing URL RATE SECONDS [POISON]`.

Prints, for each patch, the milliseconds from its save until it was recorded as accepted. POISON patches of the same
project, each of its own trace, fail at every attempt.
"""

import json
import sys
import time
from uuid import uuid4

import django

django.setup()

from django.db import transaction  # noqa: E402 - models exist only after setup

from benchmarks.outbox_data import get_or_create_project  # noqa: E402
from reviewapp.accounts.models import Project  # noqa: E402
from reviewapp.delivery import outbox  # noqa: E402
from reviewapp.delivery.models import Patch  # noqa: E402

TIMEOUT = 60.0  # seconds


def time_patches(url: str, rate: int, seconds: int, poison: int = 0) -> list[float]:
    project = get_or_create_project(url, "stream")
    for _ in range(poison):
        _put_patch(project, {"poison": True})
    started_at = time.monotonic()
    patch_ids = []
    for number in range(rate * seconds):
        time.sleep(max(0.0, started_at + number / rate - time.monotonic()))
        patch_ids.append(_put_patch(project, {"score": number % 5 / 4, "review_rev": 1}))
    patches = Patch.objects.filter(pk__in=patch_ids)
    deadline = time.monotonic() + TIMEOUT
    while patches.filter(accepted_at=None).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not all patches were accepted within {TIMEOUT:.0f} s.")
        time.sleep(0.2)
    return [(patch.accepted_at - patch.created_at).total_seconds() * 1000 for patch in patches if patch.accepted_at]


def _put_patch(project: Project, values: dict[str, object]) -> int:
    with transaction.atomic():
        return outbox.put(project, uuid4(), values, source="benchmark").pk


if __name__ == "__main__":
    sys.stdout.write(json.dumps(time_patches(sys.argv[1], *map(int, sys.argv[2:]))))
