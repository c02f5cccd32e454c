"""Pages that show deliveries: the list, one delivery, paused deliveries, and who set a trace's metadata."""

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.delivery import drift, heartbeat, patch_filter, restore_guard
from reviewapp.delivery.access import get_patch_or_404
from reviewapp.delivery.lag import get_lag
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.delivery.provenance import get_metadata_provenance
from reviewapp.delivery.timeline import build_timeline, get_block_reason
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.lib.numbers import parse_int
from reviewapp.traces.access import get_trace_or_404
from reviewapp.traces.reader import query
from reviewapp.traces.reader.metadata_entries import paginate_entries
from reviewapp.traces.sync import unreadable
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

# Paused deliveries that are listed.
MAX_PAUSED_SHOWN = 20


@access.member(Role.LEAD)
@require_safe
def patch_list(request: Request, project: Project) -> HttpResponse:
    filters = patch_filter.PatchFilter.from_query(request.GET)
    patches = Patch.objects.filter(project=project)
    counts = patches.by_state()
    breaker = Breaker.objects.filter(project=project).first()
    page = patch_filter.get_page(filters, project, request.GET)
    patch_filter.set_trace_names(project, page.rows)
    context = {
        "project": project,
        "section": "deliveries",
        "filters": filters,
        "page": page,
        "before": parse_int(request.GET.get("before")),
        "after": parse_int(request.GET.get("after")),
        "selected": [parse_int(text) for text in request.GET.getlist("patch")],
        "counts": counts,
        "drifted_count": patches.filter(drifted_at__isnull=False).count(),
        "reasons": patch_filter.count_by_reason(project) if filters.state == State.PARKED else [],
        "oldest_waiting": _get_oldest(project, State.WAITING) if counts[State.WAITING] else None,
        "oldest_accepted": _get_oldest(project, State.ACCEPTED) if counts[State.ACCEPTED] else None,
        "breaker": breaker,
        "paused": restore_guard.summarise_waiting(project) if breaker is not None and breaker.paused_at else None,
        "key": get_active_key(project),
        "unreadable_count": unreadable.count_traces(project),
        "workers": heartbeat.get_worker_status(),
        # The rows refresh every few seconds; the figures of a day do not change that fast.
        "lag": None if request.htmx and not request.htmx.boosted else get_lag(project),
    }
    return render_page(request, "delivery/list.html", context, fragment="patches")


def _get_oldest(project: Project, state: State) -> Patch | None:
    return Patch.objects.filter(project=project, state=state).order_by("pk").first()


@access.member(Role.LEAD)
@require_safe
def patch_page(request: Request, project: Project, patch: int) -> HttpResponse:
    row = get_patch_or_404(project, patch)
    key = get_active_key(project)
    can_read = key is not None and key.can_read
    context = {
        "project": project,
        "section": "deliveries",
        "patch": row,
        "way": build_timeline(row, can_read=can_read, block_reason=get_block_reason(row)),
        "drifted_keys": drift.find_drifted_keys(row),
        "can_read": can_read,
        "attempts": row.attempts.order_by("-pk")[:100],
    }
    return render_page(request, "delivery/patch.html", context)


@access.member(Role.LEAD)
@require_safe
def paused_page(request: Request, project: Project) -> HttpResponse:
    """The waiting deliveries of a project that is paused after a restore."""
    breaker = Breaker.objects.filter(project=project).first()
    patches = Patch.objects.filter(project=project, state=State.WAITING).order_by("pk")
    context = {
        "project": project,
        "section": "deliveries",
        "breaker": breaker,
        "paused": restore_guard.summarise_waiting(project),
        "patches": patches[:MAX_PAUSED_SHOWN],
    }
    return render_page(request, "delivery/paused.html", context)


@access.member(Role.REVIEWER)
@require_safe
def trace_settings(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    trace = get_trace_or_404(project, trace_id)
    entry_page = paginate_entries(get_metadata_provenance(trace), query.parse_query(request.GET))
    context = {"project": project, "section": "traces", "trace": trace, "portion": entry_page}
    return render_page(request, "delivery/provenance.html", context, fragment="setters")
