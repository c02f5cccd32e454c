"""Filter views over the mirror, and the page of one trace."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib import canonical_json
from reviewapp.traces import metadata, pictures, pulling
from reviewapp.traces.filtering import FilterView, page_of, read_view
from reviewapp.traces.metadata import NotAPair
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.reading import reading_of
from reviewapp.web.pages import NO_STORE, page
from reviewapp.web.request import Request

# Characters of a metadata value that a row of the list shows.
SHORT = 40


@access.member(Role.REVIEWER)
@require_safe
def trace_list(request: Request, project: Project) -> HttpResponse:
    context: dict[str, object] = {"project": project, "section": "traces", "typed": request.GET}
    try:
        view = read_view(request.GET)
        if request.GET.get("key", "").strip():
            # The form's fields become part of the view's own address.
            return redirect(f"{request.path}?{view.query}")
        found = page_of(view, project, request.GET.get("before", ""), request.GET.get("after", ""))
    except NotAPair as error:
        return page(request, "traces/list.html", {**context, "view": FilterView(), "error": str(error)}, status=422)
    rows = [(trace, _values(trace)) for trace in found.traces]
    return page(request, "traces/list.html", {**context, "view": view, "found": found, "rows": rows}, part="results")


@access.member(Role.REVIEWER)
@require_safe
def trace_page(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    trace = Trace.objects.filter(project=project, trace_id=trace_id).first()
    if trace is None:
        raise Http404("This trace is not in the mirror. Queue it, and it is pulled from Laminar.")
    trace.project = project
    pulling.await_reader(trace)
    if "waiting" in request.GET and not trace.is_here:
        return HttpResponse(status=204)
    reading = reading_of(trace, request.GET, request.path)
    context = {"project": project, "section": "traces", "trace": trace, "reading": reading}
    if reading.wish.is_piece:
        return page(request, "traces/_piece.html", context)
    return page(request, "traces/page.html", context, part="reading")


@access.member(Role.REVIEWER)
@require_safe
def span_image(request: Request, project: Project, trace_id: UUID, span_id: UUID, name: str) -> HttpResponse:
    span = Span.objects.filter(trace__project=project, trace__trace_id=trace_id, span_id=span_id).first()
    picture = None if span is None else pictures.of(span, name)
    if picture is None:
        raise Http404("The trace holds no such image, or none of a kind that is shown: PNG, JPEG, GIF and WebP are.")
    answer = HttpResponse(picture.content, content_type=picture.type)
    # Whatever else the bytes may be, they are an image here and can do nothing.
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Cache-Control"] = NO_STORE
    return answer


def _values(trace: Trace) -> list[tuple[str, str]]:
    members = canonical_json.raw_members(trace.metadata)
    shown = [(key, raw if raw[:1] in ("{", "[") else metadata.shown(raw)) for key, raw in sorted(members.items())]
    return [(key, value if len(value) <= SHORT else f"{value[: SHORT - 1]}…") for key, value in shown][:8]
