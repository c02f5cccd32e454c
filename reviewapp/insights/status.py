"""The status page: whether the settings of this installation are fit for what it runs."""

from django.conf import settings
from django.core.checks import ERROR
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request
from reviewapp.web.settings_checks import CHECKS, check_request


@access.member(Role.ADMIN)
@require_safe
def status_page(request: Request, project: Project) -> HttpResponse:
    messages = {name: check() for name, check in CHECKS.items()}
    messages["Proxies in front"] = check_request(request)
    checks = [
        (name, [(message.level >= ERROR, message.msg, message.hint) for message in problems])
        for name, problems in messages.items()
    ]
    context = {"project": project, "section": "status", "checks": checks, "mode": settings.MODE}
    return render_page(request, "insights/status.html", context)
