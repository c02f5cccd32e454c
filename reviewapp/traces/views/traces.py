"""Filter views over the mirror, and the page of one trace."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.traces.filters import export, laminar_source, saved_views, selection
from reviewapp.traces.filters.filter_view import FilterView, link_there, read_view
from reviewapp.traces.filters.paging import Page, alone, count_traces, get_page
from reviewapp.traces.metadata import history, merge, pairs, suggestions
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.traces.metadata.suggestions import Suggestion
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.reader import invisible_chars
from reviewapp.traces.reader.trace_reader import open_reader
from reviewapp.traces.sync import pull
from reviewapp.traces.transcript import pictures
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

# Characters of a value that a chosen column shows.
SHOWN = 80


@access.member(Role.REVIEWER)
@require_safe
def trace_list(request: Request, project: Project) -> HttpResponse:
    return listed(request, project, request.GET)


def listed(request: Request, project: Project, query: QueryDict, **told: object) -> HttpResponse:
    """The list of a view, the one that `query` describes; `told` is what an act on it has to say, a refusal."""
    context: dict[str, object] = {
        "project": project,
        "section": "traces",
        "typed": query,
        # Links to the list are short where one is on it.
        "here": reverse("traces:trace-list", args=[project.slug]) if told else "",
        "views": list(saved_views.visible_to(project, request.user)),
        "keys": _typable(suggestions.suggest_keys(project)),
    }
    try:
        view = read_view(_meant(query, project))
        if query.get("key", "").strip() or query.get("column", "").strip():
            # The form's fields become part of the view's own address.
            return redirect(f"{request.path}?{laminar_source.asked(query)}{view.query}")
        source = laminar_source.source_of(query, view, project)
        # Where Laminar did not answer, its cursor is none of the mirror's, which begins with the first page.
        cursors = ("", "") if source.error else (query.get("before", ""), query.get("after", ""))
        found = None if source.is_laminar else get_page(view, project, *cursors)
    except FilterError as error:
        return render_page(
            request, "traces/list.html", {**context, "view": FilterView(), "error": str(error)}, status=422
        )
    there, why_not = link_there(view, project)
    context |= {"view": view, "source": source, "there": there, "why_not": why_not, **told}
    if found is None:
        context["rows"] = [(shown, _cells(shown.row.metadata, view)) for shown in source.rows]
    else:
        context |= _of_mirror(found, view, project)
    return render_page(request, "traces/list.html", context, fragment="results", status=422 if told else 200)


def _of_mirror(found: Page, view: FilterView, project: Project) -> dict[str, object]:
    """What a page of the mirror shows."""
    is_puzzling = len(view.pairs) > 1 or bool(view.since or view.until)
    return {
        "found": found,
        "rows": [(trace, _cells(trace.metadata, view)) for trace in found.traces],
        "shown": urlencode([("trace", trace.trace_id) for trace in found.traces]),
        "alone": alone(view, project) if is_puzzling and not found.traces else [],
        "moved": history.recently_changed(found.traces, [pair.key for pair in view.pairs]),
    }


@access.member(Role.REVIEWER)
@require_safe
def suggestion_list(request: Request, project: Project) -> HttpResponse:
    """Keys for the field named by `of`, or values of the key that is typed, as the options of a field."""
    field = request.GET.get("of", "key")
    part, key = (request.GET.get(name, "").replace("\x00", "") for name in (field, "key"))
    found = (
        suggestions.suggest_values(project, key, part)
        if field == "value"
        else suggestions.suggest_keys(project, part.strip())
    )
    return render_page(request, "traces/_suggestions.html", {"project": project, "offers": _typable(found)})


@access.member(Role.LEAD)
@require_safe
def trace_export(request: Request, project: Project, shape: str) -> HttpResponseBase:
    """The ticked traces, or all of the view, as `csv` or `jsonl`."""
    try:
        chosen = selection.select_from_query(project, request.GET)
    except FilterError as error:
        messages.error(request, str(error))
        return redirect("traces:trace-list", project=project.slug)
    if "trace" not in request.GET:
        chosen = selection.select_view(project, chosen.view)
    lines = export.csv_lines(chosen) if shape == "csv" else export.json_lines(chosen)
    kind = "text/csv" if shape == "csv" else "application/jsonl"
    response = StreamingHttpResponse(lines, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-traces.{shape}"'
    response["Cache-Control"] = NO_STORE
    return response


@access.member(Role.REVIEWER)
@require_safe
def trace_page(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    trace = Trace.objects.filter(project=project, trace_id=trace_id).first()
    if trace is None:
        raise Http404("This trace is not in the mirror. Queue it, and it is pulled from Laminar.")
    trace.project = project
    pull.await_reader(trace)
    if "waiting" in request.GET and not trace.has_spans:
        return HttpResponse(status=204)
    reading = open_reader(trace, request.GET, request.path)
    context = {"project": project, "section": "traces", "trace": trace, "reading": reading}
    if reading.query.is_fragment:
        return render_page(request, "traces/_reader_fragment.html", context)
    return render_page(request, "traces/page.html", context, fragment="reading")


@access.member(Role.REVIEWER)
@require_safe
def span_image(request: Request, project: Project, trace_id: UUID, span_id: UUID, name: str) -> HttpResponse:
    span = Span.objects.filter(trace__project=project, trace__trace_id=trace_id, span_id=span_id).first()
    picture = None if span is None else pictures.find_picture(span, name)
    if picture is None:
        raise Http404("The trace holds no such image, or none of a kind that is shown: PNG, JPEG, GIF and WebP are.")
    answer = HttpResponse(picture.content, content_type=picture.content_type)
    # Whatever else the bytes may be, they are an image here and can do nothing.
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Cache-Control"] = NO_STORE
    return answer


@access.member(Role.REVIEWER)
@require_safe
def view_list(request: Request, project: Project) -> HttpResponse:
    """The views with their counts; to the home page the ones that stand there."""
    views = saved_views.visible_to(project, request.user)
    if request.htmx:
        views = views.filter(on_home=True)[: saved_views.MAX_ON_HOME]
    rows = [(view, count_traces(read_view(QueryDict(view.query)), project)) for view in views]
    return render_page(
        request, "traces/views.html", {"project": project, "section": "traces", "rows": rows}, fragment="views"
    )


def _meant(query: QueryDict, project: Project) -> QueryDict:
    """The address with its fields for keys as they are meant."""
    meant = query.copy()
    for field in ("key", "column"):
        meant[field] = suggestions.spelled(project, query.get(field, ""))
    return meant


def _cells(text: str, view: FilterView) -> list[tuple[str, str]]:
    """The chosen columns of a trace's metadata, empty where it has no such key; without any choice some of all."""
    if view.columns:
        members = merge.parse_members(text)
        return [(key, pairs.display_value(members[key])[:SHOWN] if key in members else "") for key in view.columns]
    return pairs.preview_values(text)


def _typable(found: list[Suggestion]) -> list[Suggestion]:
    """Offers without characters that nobody sees: they would show as something else."""
    return [offer for offer in found if invisible_chars.reveal_invisible(offer.text) == offer.text]
