"""Create an outbox in an empty database: `python -m benchmarks.outbox_data URL WAITING [CONFIRMED]`.

`python -m benchmarks.outbox_data states` prints the number of patches in each state.
"""

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from uuid import UUID, uuid4

import django

django.setup()

from reviewapp.accounts.models import Project  # noqa: E402 - models exist only after setup
from reviewapp.delivery.models import Patch, State  # noqa: E402
from reviewapp.keys.models import LaminarKey  # noqa: E402
from reviewapp.lib import canonical_json, clock  # noqa: E402
from reviewapp.traces.models import Trace  # noqa: E402

BATCH = 5_000


def create_outbox(url: str, waiting: int, confirmed: int = 0) -> None:
    """Create a project at `url` with a key, waiting patches, and patches confirmed a day ago, each of its own trace."""
    project = get_or_create_project(url)
    _add(project, State.CONFIRMED, confirmed)
    _add(project, State.WAITING, waiting)


def get_or_create_project(url: str, slug: str = "bench") -> Project:
    project, _ = Project.objects.update_or_create(slug=slug, defaults={"name": slug.title(), "base_url": url})
    if not LaminarKey.objects.filter(project=project).exists():
        LaminarKey.build_encrypted(project, "a-key-of-a-benchmark", LaminarKey.Kind.FULL, "bench").save(
            force_insert=True
        )
    return project


def _add(project: Project, state: State, count: int) -> None:
    remaining = (_patch(project, number, state) for number in range(count))
    while patches := list(islice(remaining, BATCH)):
        if state == State.WAITING:
            Trace.objects.bulk_create(_traces(project, patches))
        Patch.objects.bulk_create(patches)


def _patch(project: Project, number: int, state: State) -> Patch:
    created_at = clock.now() - timedelta(days=state == State.CONFIRMED)
    values = {"score": number % 5 / 4, "needs_review": number % 4 == 0, "notes": f"note {number}", "review_rev": 1}
    return Patch(
        project=project, trace_id=uuid4(), metadata=canonical_json.dumps(values), source="benchmark", state=state,
        created_at=created_at, due_at=created_at, confirmed_at=created_at if state == State.CONFIRMED else None,
    )  # fmt: skip


def _traces(project: Project, patches: list[Patch]) -> Iterator[Trace]:
    for patch in patches:
        trace_id: UUID = patch.trace_id
        yield Trace(project=project, trace_id=trace_id, metadata=patch.metadata, unconfirmed=patch.metadata)


if __name__ == "__main__":
    if sys.argv[1] == "states":
        sys.stdout.write(json.dumps(Patch.objects.by_state()))
    else:
        create_outbox(sys.argv[1], *map(int, sys.argv[2:]))
