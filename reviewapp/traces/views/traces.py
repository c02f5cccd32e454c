"""The list of traces with its filters and exports, and the page of one trace."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role, User
from reviewapp.audit.recording import record
from reviewapp.lib import invisible_chars
from reviewapp.lib.shortening import shorten
from reviewapp.traces.access import get_trace_or_404
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.filters import export, laminar_source, saved_views, selection
from reviewapp.traces.filters.conditions import LABELS, REVIEW_STATES, STATUSES
from reviewapp.traces.filters.filter_view import FilterView, build_laminar_link, check_length, read_view
from reviewapp.traces.filters.paging import Page, count_by_condition, count_traces, get_neighbours, get_page
from reviewapp.traces.filters.search import load_visible_tags
from reviewapp.traces.filters.session import find_place
from reviewapp.traces.metadata import history, merge, pairs, suggestions
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.traces.metadata.suggestions import Suggestion
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.reader import spelling
from reviewapp.traces.reader.trace_reader import open_reader
from reviewapp.traces.sync import pull
from reviewapp.traces.transcript import pictures
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

# Most characters of a value in a metadata column.
MAX_CELL_LENGTH = 80
# Conditions whose fields are folded unless one of them is filled in.
MORE_CONDITIONS = [name for name in LABELS if name not in ("text", "status", "review")]


@access.member(Role.REVIEWER)
@require_safe
def trace_list(request: Request, project: Project) -> HttpResponse:
    return render_list(request, project, request.GET)


@access.member(Role.REVIEWER)
@require_safe
def laminar_answer(request: Request, project: Project) -> HttpResponse:
    """The list with Laminar's answer, which its page loads into itself; without JavaScript a page of its own.

    The web server answers this URL with threads that nothing else waits for (`lib.http_server.limits`).
    """
    return render_list(request, project, request.GET, can_ask=True)


@access.member(Role.REVIEWER)
@require_POST
def trace_filter(request: Request, project: Project) -> HttpResponse:
    """Turn the filter's form into the URL of its view. By POST, because what is typed can be longer than a URL."""
    return render_list(request, project, request.POST)


def render_list(
    request: Request, project: Project, query: QueryDict, *, can_ask: bool = False, **form_context: object
) -> HttpResponse:
    """The list of the view that `query` describes; with `form_context` if a form on it was refused.

    If Laminar answers the view, the list only links to the answer, unless this request `can_ask` it.
    """
    list_url = reverse("traces:trace-list", args=[project.slug])
    context = _build_form_context(request, project, query, list_url)
    try:
        view = read_view(_resolve_keys(query, project), request.user)
        is_form = request.method == "POST" and not form_context
        if is_form or query.get("key", "").strip() or query.get("column", "").strip():
            # Turn the form's fields into the URL of the view.
            check_length(view)
            return redirect(f"{list_url}?{laminar_source.get_query_prefix(query)}{view.query}")
        source = laminar_source.choose_source(query, view, project)
        if source.is_laminar and can_ask:
            source = laminar_source.ask_laminar(source, query, view, project)
        # If Laminar failed, the mirror cannot read Laminar's cursor and shows its first page.
        cursors = ("", "") if source.error else (query.get("before", ""), query.get("after", ""))
        page = None if source.is_laminar else get_page(view, project, *cursors)
    except FilterError as error:
        return render_page(
            request, "traces/list.html", {**context, "view": _read_rest(query), "error": str(error)}, status=422
        )
    laminar_filter_url, no_link_reason = build_laminar_link(view, project)
    context |= {
        "view": view,
        "source": source,
        "laminar_filter_url": laminar_filter_url,
        "no_link_reason": no_link_reason,
        **form_context,
    }
    if page is None:
        context["rows"] = [(trace, _get_cells(trace.row.metadata, view)) for trace in source.rows or []]
    else:
        context |= _build_page_context(page, view, project)
    return render_page(request, "traces/list.html", context, fragment="results", status=422 if form_context else 200)


def _build_form_context(request: Request, project: Project, query: QueryDict, list_url: str) -> dict[str, object]:
    """What the page shows whether or not its filter can be read."""
    return {
        "project": project,
        "section": "traces",
        "list_query": query,
        # Links to the list need no path if its own URL shows it.
        "list_url": "" if request.path == list_url else list_url,
        "saved_views": list(saved_views.visible_to(project, request.user)),
        "statuses": list(STATUSES),
        "review_states": REVIEW_STATES,
        "has_more_conditions": any(query.get(name) for name in MORE_CONDITIONS),
        "key_suggestions": _without_invisible(suggestions.suggest_keys(project)),
    }


def _read_rest(query: QueryDict) -> FilterView:
    """The view without what is typed in the form; an empty one if that is invalid too, or too long."""
    rest = query.copy()
    for field in ("key", "value", "column"):
        rest.pop(field, None)
    for fields in ((), [name for name in LABELS if name != "tag"]):
        for field in fields:
            rest.pop(field, None)
        try:
            view = read_view(rest)
            check_length(view)
        except FilterError:
            continue
        return view
    return FilterView()


def _build_page_context(page: Page, view: FilterView, project: Project) -> dict[str, object]:
    """What the template needs to show a page of the mirror."""
    # An empty result of several conditions is explained by what each of them finds alone.
    has_several_conditions = len(view.pairs) > 1 or bool(view.conditions or view.since or view.until)
    is_explained = has_several_conditions and not page.traces
    return {
        "page": page,
        "rows": [(trace, _get_cells(trace.metadata, view)) for trace in page.traces],
        "tags": load_visible_tags(project, view.viewer, page.traces),
        "trace_query": urlencode([("trace", trace.trace_id) for trace in page.traces]),
        "condition_counts": count_by_condition(view, project) if is_explained else [],
        "moved": history.recently_changed(page.traces, [pair.key for pair in view.pairs]),
    }


@access.member(Role.REVIEWER)
@require_safe
def suggestion_list(request: Request, project: Project) -> HttpResponse:
    """Options for the field that `of` names: values of the key that is typed, or keys."""
    field = request.GET.get("of", "key")
    part, key = (request.GET.get(name, "").replace("\x00", "") for name in (field, "key"))
    matches = (
        suggestions.suggest_values(project, key, part)
        if field == "value"
        else suggestions.suggest_keys(project, part.strip())
    )
    context = {"project": project, "suggestions": _without_invisible(matches)}
    return render_page(request, "traces/_suggestions.html", context)


@access.member(Role.LEAD)
@require_safe
def trace_export(request: Request, project: Project, shape: str) -> HttpResponseBase:
    """Export the ticked traces, or else the whole view, as `csv` or `jsonl`."""
    try:
        selected = selection.select_from_query(project, request.GET, request.user)
    except FilterError as error:
        messages.error(request, str(error))
        return redirect("traces:trace-list", project=project.slug)
    if "trace" not in request.GET:
        selected = selection.select_view(project, selected.view)
    if selected.unknown:
        messages.warning(request, selected.unknown)
    query = shorten(request.GET.urlencode(), 2_000)
    record(project, request.user, "exported traces", shape, count=len(selected.pks), query=query)
    lines = export.csv_lines(selected) if shape == "csv" else export.json_lines(selected)
    content_type = "text/csv" if shape == "csv" else "application/jsonl"
    response = StreamingHttpResponse(lines, content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-traces.{shape}"'
    response["Cache-Control"] = NO_STORE
    return response


@access.member(Role.REVIEWER)
@require_safe
def trace_page(request: Request, project: Project, trace_id: UUID) -> HttpResponse:
    trace = get_trace_or_404(project, trace_id)
    pull.request_for_reader(trace)
    if "waiting" in request.GET and not trace.has_spans:
        return HttpResponse(status=204)
    reading = open_reader(trace, spelling.remember(request.session, request.GET), request.path)
    context = {"project": project, "section": "traces", "trace": trace, "reading": reading}
    if reading.query.is_fragment:
        return render_page(request, "traces/_reader_fragment.html", context)
    if not request.htmx:
        context |= {
            "session": find_place(trace),
            "tags": load_visible_tags(project, request.user, [trace])[trace.pk] if trace.has_tags else [],
            "steps": _get_steps(request, project, trace),
        }
    return render_page(request, "traces/page.html", context, fragment="reading")


def _get_steps(request: Request, project: Project, trace: Trace) -> dict[str, object]:
    """The view that the page was opened from, and the traces before and after this one in it; empty for no view."""
    if "in" not in request.GET:
        return {}
    try:
        view = read_view(QueryDict(request.GET.get("in", "")), request.user)
        previous, following = get_neighbours(view, project, trace)
    except FilterError:
        return {}
    return {"view": view, "previous": previous, "next": following}


@access.member(Role.REVIEWER)
@require_safe
def span_image(request: Request, project: Project, trace_id: UUID, span_id: UUID, name: str) -> HttpResponse:
    span = Span.objects.filter(trace__project=project, trace__trace_id=trace_id, span_id=span_id).first()
    picture = None if span is None else pictures.find_picture(span, name)
    if picture is None:
        raise Http404("This trace has no such image. Only PNG, JPEG, GIF and WebP images are shown.")
    response = HttpResponse(picture.content, content_type=picture.content_type)
    # If a browser opens the bytes as anything but an image, they can run nothing.
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = NO_STORE
    return response


@access.member(Role.REVIEWER)
@require_safe
def view_list(request: Request, project: Project) -> HttpResponse:
    """The saved views with their counts; for htmx, only those of the home page, which loads them."""
    views = saved_views.visible_to(project, request.user)
    if request.htmx:
        views = views.filter(on_home=True)[: saved_views.MAX_ON_HOME]
    rows = [(view, _count_view(view, project, request.user)) for view in views]
    return render_page(
        request, "traces/views.html", {"project": project, "section": "traces", "rows": rows}, fragment="views"
    )


def _count_view(view: SavedView, project: Project, viewer: User) -> int | None:
    """The number of traces of a saved view for this person; None if its filter is not valid any more."""
    try:
        return count_traces(read_view(QueryDict(view.query), viewer), project)
    except FilterError:
        return None


def _resolve_keys(query: QueryDict, project: Project) -> QueryDict:
    """The query with the keys that its form fields stand for."""
    resolved = query.copy()
    for field in ("key", "column"):
        resolved[field] = suggestions.resolve_key(project, query.get(field, ""))
    return resolved


def _get_cells(text: str, view: FilterView) -> list[tuple[str, str]]:
    """The view's metadata columns, empty where the trace has no such key; a preview if the view has no columns."""
    if view.columns:
        members = merge.parse_members(text)
        return [
            (key, shorten(pairs.display_value(members[key]), MAX_CELL_LENGTH) if key in members else "")
            for key in view.columns
        ]
    return pairs.preview_values(text)


def _without_invisible(matches: list[Suggestion]) -> list[Suggestion]:
    """Leave out suggestions with invisible characters, which would look like other texts."""
    return [match for match in matches if invisible_chars.find_hidden(match.text) is None]
