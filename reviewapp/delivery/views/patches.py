"""Where a lead sees every push: what waits, what went wrong, and what to do about it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.delivery import drift, heartbeat, patch_filter, restore_guard
from reviewapp.delivery.lag import lag_of
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.provenance import get_metadata_provenance
from reviewapp.delivery.timeline import build_timeline, get_block_reason
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.lib.numbers import parse_int
from reviewapp.traces.models import Trace
from reviewapp.traces.reader import query
from reviewapp.traces.reader.metadata_entries import paginate_entries
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

# Held deliveries that are shown one by one.
MAX_PAUSED_SHOWN = 20


@access.member(Role.LEAD)
@require_safe
def patch_list(request: Request, project: Project) -> HttpResponse:
    asked = patch_filter.PatchFilter.read(request.GET)
    ours = Patch.objects.filter(project=project)
    breaker = Breaker.objects.filter(project=project).first()
    found = patch_filter.page_of(asked, project, request.GET)
    patch_filter.give_names(project, found.rows)
    context = {
        "project": project,
        "section": "deliveries",
        "asked": asked,
        "found": found,
        "before": parse_int(request.GET.get("before")),
        "after": parse_int(request.GET.get("after")),
        "chosen": [parse_int(text) for text in request.GET.getlist("patch")],
        "counts": ours.by_state(),
        "drifted": ours.filter(drifted_at__isnull=False).count(),
        "reasons": patch_filter.by_reason(project) if asked.state == State.PARKED else [],
        "waits": ours.filter(state=State.WAITING).order_by("pk").first(),
        "unread": ours.filter(state=State.ACCEPTED).order_by("pk").first(),
        "breaker": breaker,
        "held": restore_guard.waiting(project) if breaker is not None and breaker.paused_at else None,
        "key": get_active_key(project),
        "workers": heartbeat.get_worker_status(),
        # The rows refresh themselves every few seconds; a day's figures do not change so fast.
        "lag": None if request.htmx and not request.htmx.boosted else lag_of(project),
    }
    return render_page(request, "delivery/list.html", context, fragment="patches")


@access.member(Role.LEAD)
@require_safe
def patch_page(request: Request, project: Project, patch: int) -> HttpResponse:
    found = patch_of(project, patch)
    key = get_active_key(project)
    can_read = key is not None and key.can_read
    context = {
        "project": project,
        "section": "deliveries",
        "patch": found,
        "way": build_timeline(found, can_read=can_read, block_reason=get_block_reason(found)),
        "drifted": drift.find_drifted_keys(found),
        "can_read": can_read,
        "attempts": found.attempts.order_by("-pk")[:100],
    }
    return render_page(request, "delivery/patch.html", context)


@access.member(Role.LEAD)
@require_safe
def held_page(request: Request, project: Project) -> HttpResponse:
    """What waits in a project that is held after a restore, before an admin lets it go."""
    breaker = Breaker.objects.filter(project=project).first()
    rows = Patch.objects.filter(project=project, state=State.WAITING).order_by("pk")
    context = {
        "project": project,
        "section": "deliveries",
        "breaker": breaker,
        "held": restore_guard.waiting(project),
        "patches": rows[:MAX_PAUSED_SHOWN],
    }
    return render_page(request, "delivery/paused.html", context)


@access.member(Role.REVIEWER)
@require_safe
def trace_settings(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    trace = Trace.objects.filter(project=project, trace_id=trace_id).first()
    if trace is None:
        raise Http404("This trace is not in the mirror. Queue it, and it is pulled from Laminar.")
    trace.project = project
    wanted = paginate_entries(get_metadata_provenance(trace), query.parse_query(request.GET))
    context = {"project": project, "section": "traces", "trace": trace, "portion": wanted}
    return render_page(request, "delivery/provenance.html", context, fragment="setters")


def patch_of(project: Project, number: int) -> Patch:
    """The project's delivery with this number. Raises Http404."""
    found = Patch.objects.filter(project=project, pk=number).first()
    if found is None:
        raise Http404("There is no such delivery in this project.")
    found.project = project
    return found
