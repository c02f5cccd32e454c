"""The circuit breaker of a project: failures in a row stop its pushes, then one probe is sent before the rest."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from reviewapp.delivery import outcome_log, schedule
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError, RateLimited
from reviewapp.lib import clock
from reviewapp.lib.shortening import shorten

# `refused_key` of a breaker that was opened because the project has no key.
NO_KEY_ID = UUID(int=0)


def open_breaker(project_id: int, reason: str, key: LaminarKey | None) -> None:
    """Open a project's breaker until it has another key; its rows wait, and nothing is lost."""
    Breaker.objects.update_or_create(
        project_id=project_id,
        defaults={
            "open_until": clock.now() + (schedule.NO_KEY_DELAY if key is None else schedule.REFUSED_KEY_DELAY),
            "refused_key": NO_KEY_ID if key is None else key.pk,
            "reason": shorten(reason, 600),
        },
    )
    outcome_log.log_refused_key(project_id, reason)


def find_blocked_projects(project_ids: Collection[int]) -> set[int]:
    """The ids of those projects that must not push now: their breaker is open or their delivery is paused."""
    is_blocked = Q(open_until__gt=clock.now()) | Q(paused_at__isnull=False)
    return set(Breaker.objects.filter(is_blocked, project__in=project_ids).values_list("project_id", flat=True))


def close_breakers_with_new_key() -> None:
    """Close the breakers of projects whose active key is not the one that was refused."""
    for breaker in Breaker.objects.exclude(refused_key=None).select_related("project"):
        key = get_active_key(breaker.project)
        if key is not None and key.pk != breaker.refused_key:
            close_breaker(breaker.project_id)


def close_breaker(project_id: int) -> None:
    """Close a project's breaker and make its failed patches due now, in order."""
    with transaction.atomic():
        Breaker.objects.filter(project_id=project_id).update(failures=0, open_until=None, refused_key=None, reason="")
        Patch.objects.filter(project_id=project_id, state=State.WAITING, failures__gt=0).update(due_at=clock.now())


def bring_probes_forward() -> int:
    """Make a patch due in each project that may be probed and would only be probed much later.

    Laminar can ask to wait for a day with a patch: the project's pushes wait for MAX_RATE_LIMIT_DELAY at most.
    Returns the number of patches.
    """
    now, count = clock.now(), 0
    half_open = Breaker.objects.filter(open_until__lte=now, paused_at=None)
    for project_id in half_open.values_list("project", flat=True):
        waiting = Patch.objects.filter(project=project_id, state=State.WAITING)
        if waiting.filter(due_at__lte=now + schedule.PROBE_RETRY_DELAY).exists():
            continue
        first = list(waiting.filter(failures__gt=0).order_by("failures", "due_at").values_list("pk", flat=True)[:1])
        count += waiting.filter(pk__in=first).update(due_at=now)
    return count


def probe(project_id: int) -> int | None:
    """Let one push of a project with an open breaker go now. Returns how many will go; None if it is not open."""
    now = clock.now()
    with transaction.atomic():
        if not Breaker.objects.filter(project_id=project_id, open_until__gt=now).update(open_until=now):
            return None
        # A patch that has not failed and is not due yet can still be undone, or waits for its trace: keep its time.
        candidates = Patch.objects.filter(project_id=project_id, state=State.WAITING).exclude(
            failures=0, due_at__gt=now
        )
        first = list(candidates.order_by("failures", "due_at", "pk").values_list("pk", flat=True)[:1])
        return Patch.objects.filter(pk__in=first, state=State.WAITING).update(due_at=now)


def record_answer(project_id: int) -> None:
    """End the row of failures of a project whose Laminar has answered, and close its breaker."""
    failing = Breaker.objects.filter(Q(failures__gt=0) | ~Q(open_until=None), project_id=project_id)
    breaker = failing.select_for_update().first()
    # While the breaker is open, the answered push began before it opened: what Laminar asked for since still counts.
    if breaker is None or breaker.is_open:
        return
    if breaker.open_until is not None:
        close_breaker(project_id)
    else:
        Breaker.objects.filter(pk=breaker.pk).update(failures=0, reason="")


def record_failure(patch: Patch, error: LaminarError) -> None:
    """Count one more failure in a row for the patch's project, and open its breaker when it is due."""
    now, reason = clock.now(), shorten(str(error), 600)
    # How long Laminar asked all pushes of the project to wait.
    requested_delay = schedule.rate_limit_delay(error.retry_after if isinstance(error, RateLimited) else None)
    breaker, _ = Breaker.objects.get_or_create(project_id=patch.project_id)
    # Pushes that were running when the breaker opened say nothing new.
    not_open = Breaker.objects.filter(pk=breaker.pk).exclude(open_until__gt=now)
    if not_open.update(failures=F("failures") + 1, reason=reason):
        breaker.refresh_from_db(fields=["failures"])
        delay = max(filter(None, (schedule.breaker_delay(breaker.failures), requested_delay)), default=None)
        if delay is not None:
            not_open.update(open_until=now + delay)
            outcome_log.log_open_breaker(patch.project_id, now + delay, reason)
        if delay is not None and error.retry_after is None:
            retry_at = now + schedule.PROBE_RETRY_DELAY
            Patch.objects.filter(pk=patch.pk, state=State.WAITING, due_at__gt=retry_at).update(due_at=retry_at)
