"""Add many traces to a queue at once: those selected in the list of traces, or all of a view."""

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib.shortening import shorten
from reviewapp.queues import adding
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.models import Queue, Source
from reviewapp.queues.uploads.lifecycle import check_view
from reviewapp.queues.views.queues import describe_added
from reviewapp.traces.filters import selection
from reviewapp.traces.filters.filter_view import read_view
from reviewapp.traces.filters.paging import count_traces
from reviewapp.traces.metadata.index import MAX_COUNT
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

# In characters.
MAX_REASON_LENGTH = 300


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def traces_queue(request: Request, project: Project) -> HttpResponse:
    """Show the selected traces for confirmation; add them to a queue on POST."""
    if request.method == "POST":
        return _add(request, project)
    try:
        chosen = selection.select_from_query(project, request.GET, request.user)
    except FilterError as error:
        messages.error(request, str(error))
        return redirect("traces:trace-list", project=project.slug)
    if chosen.unknown:
        messages.warning(request, chosen.unknown)
    if not chosen.pks:
        messages.info(request, "No traces selected. Select some rows, or all traces in the view.")
        return redirect("traces:trace-list", project=project.slug)
    context = {
        "project": project, "section": "traces", "chosen": chosen,
        "queues": Queue.objects.active().filter(project=project).order_by("name"),
        "view_query": chosen.view.query if "all" in request.GET else None,
        "reason": shorten(", ".join(str(pair) for pair in chosen.view.pairs), MAX_REASON_LENGTH),
    }  # fmt: skip
    return render_page(request, "queues/bulk_add.html", context)


def _add(request: Request, project: Project) -> HttpResponse:
    queue = get_queue_or_404(project, request.POST.get("queue", ""))
    chosen = selection.select_from_form(project, request.POST.get("traces", ""))
    reason = " ".join(request.POST.get("reason", "").split())
    if error := _find_reason_error(reason):
        queues = Queue.objects.active().filter(project=project).order_by("name")
        context = {"project": project, "section": "traces", "chosen": chosen, "queues": queues}
        context |= {"reason": reason, "error": error, "chosen_queue": queue}
        return render_page(request, "queues/bulk_add.html", context, status=422)
    if "whole" in request.POST:
        return _check_view(request, queue, reason)
    if chosen.unknown:
        messages.warning(request, chosen.unknown)
    trace_ids = chosen.trace_ids
    added = duplicates = removed = 0
    # Add in batches, so that a reviewer's save never waits for more than one of them.
    for start in range(0, len(trace_ids), adding.MAX_ITEMS):
        entries = [adding.Entry(trace_id, reason=reason) for trace_id in trace_ids[start : start + adding.MAX_ITEMS]]
        result = adding.add(queue, entries, request.user, source=Source.VIEW)
        added += result.added
        duplicates += result.duplicates
        removed += result.removed
    messages.success(request, describe_added(queue, added, duplicates, removed=removed))
    return redirect("queues:queue-board", project=project.slug, queue=queue.slug)


def _check_view(request: Request, queue: Queue, reason: str) -> HttpResponse:
    """Let the worker count what adding the whole view would do; its page has the button that adds it."""
    try:
        view = read_view(QueryDict(request.POST.get("view", "")), request.user)
    except FilterError as error:
        messages.error(request, str(error))
        return redirect("traces:trace-list", project=queue.project.slug)
    count = count_traces(view, queue.project)
    # Beyond MAX_COUNT the size is not known.
    upload = check_view(queue, request.user, view.query, count if count <= MAX_COUNT else 0, reason)
    return redirect("queues:upload-page", project=queue.project.slug, queue=queue.slug, upload=upload.pk)


def _find_reason_error(reason: str) -> str:
    if len(reason) > MAX_REASON_LENGTH:
        return f"Not added. The reason has {len(reason):,} characters; the limit is {MAX_REASON_LENGTH}. Shorten it."
    if "\0" in reason:
        return "Not added. The reason contains a character that cannot be stored (NUL). Remove it."
    return ""
