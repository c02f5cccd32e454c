"""The circuit breaker of a project: after failures in a row its pushes pause, then one is tried before the rest."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from reviewapp.delivery import schedule
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import LaminarError, RateLimited
from reviewapp.lib import clock

# Stands for "no key at all" where a breaker names the key that did not serve.
NO_KEY_ID = UUID(int=0)


def open_breaker(project_id: int, reason: str, key: LaminarKey | None) -> None:
    """Open a project's breaker until it has another key: its rows wait, and nothing is lost."""
    Breaker.objects.update_or_create(
        project_id=project_id,
        defaults={
            "open_until": clock.now() + schedule.REFUSED_KEY_DELAY,
            "refused_key": NO_KEY_ID if key is None else key.pk,
            "reason": reason[:600],
        },
    )


def find_blocked_projects(project_ids: Collection[int]) -> set[int]:
    """Those of these projects for which nothing is to be pushed now, whoever held them."""
    now_held = Q(open_until__gt=clock.now()) | Q(paused_at__isnull=False)
    return set(Breaker.objects.filter(now_held, project__in=project_ids).values_list("project_id", flat=True))


def close_breakers_with_new_key() -> None:
    """Close the breakers of projects whose key in use is not the one that was refused."""
    for breaker in Breaker.objects.exclude(refused_key=None).select_related("project"):
        key = get_active_key(breaker.project)
        if key is not None and key.pk != breaker.refused_key:
            close_breaker(breaker.project_id)


def close_breaker(project_id: int) -> None:
    """Close a project's breaker and send what waited, in order."""
    with transaction.atomic():
        Breaker.objects.filter(project_id=project_id).update(failures=0, open_until=None, refused_key=None, reason="")
        Patch.objects.filter(project_id=project_id, state=State.WAITING, failures__gt=0).update(due_at=clock.now())


def probe(project_id: int) -> int | None:
    """End the wait of a held project for one push that goes to try now; how many go, None when nothing is held."""
    now = clock.now()
    with transaction.atomic():
        if not Breaker.objects.filter(project_id=project_id, open_until__gt=now).update(open_until=now):
            return None
        # What has not failed and is not due yet can still be undone, or its trace is not known yet: it keeps its time.
        waiting = Patch.objects.filter(project_id=project_id, state=State.WAITING).exclude(failures=0, due_at__gt=now)
        first = list(waiting.order_by("failures", "due_at", "pk").values_list("pk", flat=True)[:1])
        return Patch.objects.filter(pk__in=first, state=State.WAITING).update(due_at=now)


def record_answer(project_id: int) -> None:
    told = Breaker.objects.filter(Q(failures__gt=0) | ~Q(open_until=None), project_id=project_id)
    breaker = told.select_for_update().first()
    # While a hold lasts, who answers had begun before it: what Laminar asked for since still counts.
    if breaker is None or breaker.is_open:
        return
    if breaker.open_until is not None:
        close_breaker(project_id)
    else:
        Breaker.objects.filter(pk=breaker.pk).update(failures=0, reason="")


def record_failure(patch: Patch, error: LaminarError) -> None:
    """One more failure in a row of the patch's project."""
    now, said = clock.now(), str(error)[:600]
    # How long the far side asked all of the project's pushes to wait.
    at_once = schedule.rate_limit_delay(error.retry_after if isinstance(error, RateLimited) else None)
    breaker, _ = Breaker.objects.get_or_create(project_id=patch.project_id)
    # What was under way when the breaker opened tells nothing new.
    mine = Breaker.objects.filter(pk=breaker.pk).exclude(open_until__gt=now)
    if mine.update(failures=F("failures") + 1, reason=said):
        breaker.refresh_from_db(fields=["failures"])
        wait = max(filter(None, (schedule.breaker_delay(breaker.failures), at_once)), default=None)
        if wait is not None:
            mine.update(open_until=now + wait)
        if wait is not None and error.retry_after is None:
            soon = now + schedule.PROBE_RETRY_DELAY
            Patch.objects.filter(pk=patch.pk, state=State.WAITING, due_at__gt=soon).update(due_at=soon)
