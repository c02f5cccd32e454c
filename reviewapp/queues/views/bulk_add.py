"""Put many traces into a queue at once: those chosen on the list of traces, or all of a view."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.queues import entry
from reviewapp.queues.models import Queue
from reviewapp.queues.views.queues import get_queue_or_404, told
from reviewapp.traces.filters import selection
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

# Characters of an item's reason.
REASON = 300


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def traces_queue(request: Request, project: Project) -> HttpResponse:
    """What is to be queued, to look at; posted, it is."""
    if request.method == "POST":
        return _add(request, project)
    try:
        chosen = selection.select_from_query(project, request.GET)
    except FilterError as error:
        messages.error(request, str(error))
        return redirect("traces:trace-list", project=project.slug)
    if not chosen.pks:
        messages.info(request, "No trace was chosen. Tick some rows, or all of the view.")
        return redirect("traces:trace-list", project=project.slug)
    context = {
        "project": project, "section": "traces", "chosen": chosen,
        "queues": Queue.objects.filter(project=project).order_by("name"),
        "reason": ", ".join(str(pair) for pair in chosen.view.pairs)[:REASON],
    }  # fmt: skip
    return render_page(request, "queues/bulk_add.html", context)


def _add(request: Request, project: Project) -> HttpResponse:
    queue = get_queue_or_404(project, request.POST.get("queue", ""))
    reason = " ".join(request.POST.get("reason", "").replace("\x00", "").split())[:REASON]
    ids = selection.select_from_form(project, request.POST.get("traces", "")).trace_ids
    new = known = removed = 0
    # A part at a time: a save waits for no more than these.
    for start in range(0, len(ids), entry.MAX_ITEMS):
        entries = [entry.Entry(trace_id, reason=reason) for trace_id in ids[start : start + entry.MAX_ITEMS]]
        added = entry.add(queue, entries, request.user)
        new, known, removed = new + added.added, known + added.duplicates, removed + added.removed
    messages.success(request, told(new, known, removed=removed))
    return redirect("queues:queue-board", project=project.slug, queue=queue.slug)
