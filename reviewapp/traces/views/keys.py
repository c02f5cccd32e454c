"""The page of a project's metadata keys, for leads."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib.numbers import parse_int
from reviewapp.traces.metadata import registry
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_safe
def key_list(request: Request, project: Project) -> HttpResponse:
    part = request.GET.get("part", "").strip()
    page = registry.get_page(project, part, parse_int(request.GET.get("start")) or 0)
    next_query = urlencode({"part": part, "start": page.next_start}) if page.next_start else ""
    context = {"project": project, "section": "traces", "part": part, "page": page, "next_query": next_query}
    return render_page(request, "traces/keys.html", context, fragment="registry")
