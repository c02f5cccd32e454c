"""The audit log page."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit import recording
from reviewapp.audit.models import AuditEvent
from reviewapp.lib.numbers import parse_int
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

PAGE_SIZE = 100


@access.member(Role.ADMIN)
@require_safe
def event_list(request: Request, project: Project) -> HttpResponse:
    before = parse_int(request.GET.get("before"))
    events = AuditEvent.objects.filter(project=project).order_by("-seq")
    if before is not None:
        events = events.filter(seq__lt=before)
    rows = list(events[: PAGE_SIZE + 1])
    context = {
        "project": project,
        "section": "audit",
        "events": rows[:PAGE_SIZE],
        "older": rows[PAGE_SIZE - 1].seq if len(rows) > PAGE_SIZE else None,
        "verified": "verify" in request.GET,
        "broken": recording.find_first_broken(project) if "verify" in request.GET else None,
    }
    return render_page(request, "audit/events.html", context)
