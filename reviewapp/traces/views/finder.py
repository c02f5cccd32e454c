"""Find a trace by its id, from any page."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.lib import trace_ids
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.models import Trace
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.signed_in
@require_safe
def trace_find(request: Request) -> HttpResponse:
    """Open the trace that `id` names, an id or a link in any spelling, in whichever of the person's projects has it."""
    text = request.GET.get("id", "").strip()
    if not text:
        return render_page(request, "traces/find.html", {})
    try:
        trace_id = trace_ids.parse_link(text)
    except trace_ids.InvalidTraceIdError as error:
        sentence = f"{error} A link to the trace in Laminar works too."
        return render_page(request, "traces/find.html", {"text": to_storable_text(text), "error": sentence}, status=422)
    is_visible = {"project__memberships__user": request.user, "project__memberships__is_active": True}
    traces = Trace.objects.filter(trace_id=trace_id, **is_visible)
    # Two projects can have a trace of the same id: the one of the page comes first.
    by_slug = {trace.project.slug: trace for trace in traces.select_related("project").order_by("project__slug")}
    slug = request.GET.get("project", "")
    if not by_slug:
        return render_page(request, "traces/find.html", {"text": text, "trace_id": trace_id}, status=404)
    trace = by_slug.get(slug) or next(iter(by_slug.values()))
    return redirect("traces:trace-page", trace.project.slug, trace_id)
