"""The page of a project's metadata keys, for leads."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib.numbers import whole
from reviewapp.traces.metadata import registry
from reviewapp.traces.reader.query import FIND_LIMIT
from reviewapp.web.pages import page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_safe
def key_list(request: Request, project: Project) -> HttpResponse:
    part = request.GET.get("part", "").strip()[:FIND_LIMIT]
    found = registry.page_of(project, part, whole(request.GET.get("start")) or 0)
    older = urlencode({"part": part, "start": found.after}) if found.after else ""
    context = {"project": project, "section": "traces", "part": part, "found": found, "older": older}
    return page(request, "traces/keys.html", context, part="registry")
