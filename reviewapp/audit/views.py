"""The audit log: its page, its export and its head."""

from collections.abc import Iterator
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.audit import heads, verification
from reviewapp.audit.event_filter import EventFilter
from reviewapp.audit.recording import record
from reviewapp.lib import clock, csv_cells
from reviewapp.lib.numbers import parse_int
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

PAGE_SIZE = 100
COLUMNS = ["event", "time", "actor", "action", "target", "details", "digest", "seal"]


@access.member(Role.ADMIN)
@require_safe
def event_list(request: Request, project: Project) -> HttpResponse:
    event_filter = EventFilter.parse(request.GET)
    before = parse_int(request.GET.get("before"))
    events = event_filter.apply(project).order_by("-seq")
    if before is not None:
        events = events.filter(seq__lt=before)
    rows = list(events[: PAGE_SIZE + 1])
    context = {
        "project": project,
        "section": "audit",
        "events": rows[:PAGE_SIZE],
        "older": rows[PAGE_SIZE - 1].seq if len(rows) > PAGE_SIZE else None,
        "filter": event_filter,
        "query": urlencode(event_filter.fields),
        "is_key_apart": settings.IS_AUDIT_KEY_APART,
        **(_verify(project) if "verify" in request.GET else {}),
    }
    return render_page(request, "audit/events.html", context)


def _verify(project: Project) -> dict[str, object]:
    exported = heads.read_exported(project)
    return {
        "verified": True,
        "broken": verification.find_first_broken(project),
        "unsealed": verification.count_unsealed(project),
        "newest_head": exported[-1] if exported else None,
        "head_problem": next(filter(None, map(heads.find_problem, exported)), ""),
    }


@access.member(Role.ADMIN)
@require_safe
def event_export(request: Request, project: Project) -> HttpResponseBase:
    """The events of a filter as CSV, oldest first; the export is an event itself, and the last line."""
    event_filter = EventFilter.parse(request.GET)
    record(project, request.user, "exported audit log", "audit log", filter=event_filter.fields)
    response = StreamingHttpResponse(_csv_lines(project, event_filter), content_type="text/csv; charset=utf-8")
    return _as_download(response, f"{project.slug}-audit.csv")


def _csv_lines(project: Project, event_filter: EventFilter) -> Iterator[str]:
    yield csv_cells.format_line(COLUMNS)
    for event in event_filter.apply(project).order_by("seq").iterator():
        texts = (event.actor_name, event.verb, event.target, event.detail)
        cells = [csv_cells.escape_formula(text) for text in texts]
        yield csv_cells.format_line([event.seq, clock.iso(event.at), *cells, event.digest, event.seal])


@access.member(Role.ADMIN)
@require_safe
def head_export(request: Request, project: Project) -> HttpResponseBase:
    """The log's head, one line of JSON: kept elsewhere, it shows later whether the log was cut off."""
    record(project, request.user, "exported audit head", "audit log")
    line = heads.make_head(project).to_line()
    return _as_download(HttpResponse(line, content_type="application/jsonl"), f"{project.slug}-audit-head.jsonl")


def _as_download(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = NO_STORE
    return response
