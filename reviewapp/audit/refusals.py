"""Record who was refused where: counted for each request, recorded as one event by the worker."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse

from reviewapp.accounts.models import Project
from reviewapp.audit.models import RefusedAccess
from reviewapp.audit.recording import record
from reviewapp.lib import clock

log = logging.getLogger(__name__)

# How long refused requests of a person in a project are counted before they are recorded.
COUNTED_FOR = timedelta(minutes=1)
BATCH_SIZE = 100


def count_refusals(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: count the requests of signed-in people that were refused before a project's view ran."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        match = request.resolver_match
        is_refused = response.status_code in (403, 404) and match is not None and "project" in match.kwargs
        # Behind the door, a 404 is a missing object and a 403 says more than that the role is too low.
        if is_refused and match is not None and not hasattr(request, "membership") and request.user.is_authenticated:
            _count(request.user.pk, match.kwargs["project"], response.status_code, match.view_name)
        return response

    return middleware


def _count(user_id: int, slug: str, status: int, route: str) -> None:
    now, route = clock.now(), route[:80]
    if len(slug) > 62:
        return
    try:
        counted = RefusedAccess.objects.filter(user=user_id, slug=slug)
        if not counted.update(count=F("count") + 1, last_at=now, status=status, route=route):
            first = RefusedAccess(user_id=user_id, slug=slug, status=status, route=route, first_at=now, last_at=now)
            RefusedAccess.objects.bulk_create([first], ignore_conflicts=True)
    except DatabaseError as error:
        # Whoever is refused gets that answer all the same.
        log.warning("Could not count a refused request: %s", type(error).__name__, extra={"summary": "refusals"})


def record_refusals() -> int:
    """Record the counts of the last minutes, one event each. Returns how many. For the worker."""
    due = RefusedAccess.objects.filter(first_at__lte=clock.now() - COUNTED_FOR).order_by("pk")
    pks = list(due.values_list("pk", flat=True)[:BATCH_SIZE])
    for pk in pks:
        with transaction.atomic():
            refused = RefusedAccess.objects.select_for_update(of=("self",)).select_related("user").filter(pk=pk).first()
            if refused is None:
                continue
            refused.delete()
            project = Project.objects.filter(slug=refused.slug).first()
            if project is not None:
                record(
                    project, refused.user, "was refused access", refused.route, status=refused.status,
                    count=refused.count, first_at=clock.iso(refused.first_at), last_at=clock.iso(refused.last_at),
                )  # fmt: skip
    return len(pks)
