"""The audit log."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit import recording
from reviewapp.audit.models import AuditEvent
from reviewapp.lib.numbers import whole
from reviewapp.web.pages import page
from reviewapp.web.request import Request

PAGE = 100


@access.member(Role.ADMIN)
@require_safe
def event_list(request: Request, project: Project) -> HttpResponse:
    before = whole(request.GET.get("before"))
    events = AuditEvent.objects.filter(project=project).order_by("-seq")
    if before is not None:
        events = events.filter(seq__lt=before)
    rows = list(events[: PAGE + 1])
    context = {
        "project": project,
        "section": "audit",
        "events": rows[:PAGE],
        "older": rows[PAGE - 1].seq if len(rows) > PAGE else None,
        "verified": "verify" in request.GET,
        "broken": recording.first_broken(project) if "verify" in request.GET else None,
    }
    return page(request, "audit/events.html", context)
