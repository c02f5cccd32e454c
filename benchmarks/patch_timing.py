"""Patches that come at a steady rate while a worker runs: `python -m benchmarks.stream URL RATE SECONDS [POISON]`.

Prints, for each patch, the milliseconds from its save to the moment Laminar's yes was written down. POISON patches of
the same project, each of a trace of its own, are refused for ever.
"""

import json
import sys
import time
from uuid import uuid4

import django

django.setup()

from django.db import transaction  # noqa: E402 - models exist only after setup

from benchmarks.outbox_data import project_at  # noqa: E402
from reviewapp.accounts.models import Project  # noqa: E402
from reviewapp.delivery import outbox  # noqa: E402
from reviewapp.delivery.models import Patch  # noqa: E402

PATIENCE = 60.0


def stream(url: str, rate: int, seconds: int, poison: int = 0) -> list[float]:
    project = project_at(url, "stream")
    for _ in range(poison):
        _put(project, {"poison": True})
    began = time.monotonic()
    ours = []
    for number in range(rate * seconds):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        ours.append(_put(project, {"score": number % 5 / 4, "review_rev": 1}))
    sent = Patch.objects.filter(pk__in=ours)
    until = time.monotonic() + PATIENCE
    while sent.filter(accepted_at=None).exists():
        if time.monotonic() > until:
            raise TimeoutError("Not all of them were sent.")
        time.sleep(0.2)
    return [(patch.accepted_at - patch.created_at).total_seconds() * 1000 for patch in sent if patch.accepted_at]


def _put(project: Project, values: dict[str, object]) -> int:
    with transaction.atomic():
        return outbox.put(project, uuid4(), values, source="benchmark").pk


if __name__ == "__main__":
    sys.stdout.write(json.dumps(stream(sys.argv[1], *map(int, sys.argv[2:]))))
