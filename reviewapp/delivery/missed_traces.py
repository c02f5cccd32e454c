"""Traces that pushes did not find in Laminar: which of them to ask for, so that a push follows once they appear."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.lib import clock

# Traces per query and project.
BATCH_SIZE = 50
# A patch that is due sooner than this finds out by itself.
MIN_WAIT = timedelta(seconds=30)


def select(busy: Collection[int] = ()) -> dict[Project, list[UUID]]:
    """Up to BATCH_SIZE missed traces of each project, except those that are `busy` or have an open breaker.

    At random: of more than a batch, each has its turn, and workers ask for different ones.
    """
    now = clock.now()
    blocked = Breaker.objects.filter(open_until__gt=now).values("project")
    missed = Patch.objects.filter(state=State.WAITING, misses__gt=0, due_at__gt=now + MIN_WAIT)
    projects = Project.objects.exclude(pk__in=busy).exclude(pk__in=blocked)
    by_project = {
        project: list(missed.filter(project=project).order_by("?").values_list("trace_id", flat=True)[:BATCH_SIZE])
        for project in projects
    }
    return {project: trace_ids for project, trace_ids in by_project.items() if trace_ids}
