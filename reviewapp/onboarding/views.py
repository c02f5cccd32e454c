"""The pages of the first run: first admin, connect, first queue."""

from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role, User
from reviewapp.keys.laminar_keys import KeyNotStored
from reviewapp.onboarding import first_project, queue_templates, setup_links
from reviewapp.people import signing_in
from reviewapp.people.link_views import SignUpForm
from reviewapp.people.links import LinkError
from reviewapp.queues import adding
from reviewapp.queues.adding import Entry
from reviewapp.queues.models import Queue, Source
from reviewapp.web.database_error_page import secret_fields
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

CLOUD_URL = "https://api.lmnr.ai"


class ConnectForm(forms.Form):
    name = forms.CharField(max_length=120, label="Name of the project")
    base_url = forms.CharField(max_length=300, label="Address of Laminar's API")
    key = forms.CharField(max_length=500, label="Project API key", widget=forms.PasswordInput)


@secret_fields("password", "again")
@access.anyone
@require_http_methods(["GET", "POST"])
def setup_link(request: HttpRequest, setup_secret: str) -> HttpResponse:
    """Create the first admin. Once there is a person, the page says so, whatever the link."""
    if User.objects.exists():
        return render_page(request, "onboarding/complete.html", {})
    if not setup_links.is_usable(setup_secret):
        return render_page(request, "people/link_ended.html", {"message": setup_links.ENDED}, status=404)
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        fields = form.cleaned_data
        try:
            user = setup_links.create_first_admin(setup_secret, fields["username"], fields["name"], fields["password"])
        except ValidationError as refusal:
            form.add_error(None, refusal)
        except LinkError:
            return redirect(request.path)
        else:
            response = redirect("home:home")
            signing_in.let_in(request, response, user)
            return response
    return render_page(request, "onboarding/first_admin.html", {"form": form}, status=422 if form.errors else 200)


@secret_fields("key")
@access.signed_in
@require_http_methods(["GET", "POST"])
def connect(request: Request) -> HttpResponse:
    """Connect the first project; once somebody is in a project, projects are connected elsewhere."""
    if not first_project.is_needed():
        return redirect("home:home")
    initial = {"name": "My project", "base_url": CLOUD_URL}
    form, error = ConnectForm(_read_connection(request), initial=initial), ""
    if form.is_valid():
        fields = form.cleaned_data
        try:
            project = first_project.connect_first_project(
                request.user, fields["name"], fields["base_url"], fields["key"]
            )
        except KeyNotStored as refusal:
            error = str(refusal)
        except ValidationError as refusal:
            form.add_error("name", refusal.messages)
        else:
            if problem := first_project.pull_newest(project):
                messages.warning(request, f"The newest traces were not read. {problem}")
            return redirect("setup:first-queue", project=project.slug)
    context = {"form": form, "error": error, "has_embedded_store": _has_embedded_store()}
    return render_page(request, "onboarding/connect.html", context, status=422 if error or form.errors else 200)


@access.member(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def first_queue(request: Request, project: Project) -> HttpResponse:
    """Choose a template, and which of the newest traces to review with it."""
    traces, error = first_project.get_newest(project), ""
    chosen = set(request.POST.getlist("trace")) if request.method == "POST" else {str(row.trace_id) for row in traces}
    template_slug = request.POST.get("template", queue_templates.TEMPLATES[0].slug)
    if request.method == "POST":
        try:
            template = queue_templates.get_template(template_slug)
            queue = queue_templates.create_from_template(project, template, request.user)
        except ValidationError as refusal:
            error = " ".join(refusal.messages)
        else:
            ids: list[UUID] = [row.trace_id for row in traces if str(row.trace_id) in chosen]
            adding.add(queue, [Entry(trace_id) for trace_id in ids], request.user, source=Source.VIEW)
            return redirect("reviews:review-next" if ids else "queues:queue-board", project.slug, queue.slug)
    context = {
        "project": project, "rows": [(trace, str(trace.trace_id) in chosen) for trace in traces],
        "templates": queue_templates.TEMPLATES, "template_slug": template_slug, "error": error,
    }  # fmt: skip
    return render_page(request, "onboarding/first_queue.html", context, status=422 if error else 200)


@access.member(Role.ADMIN)
@require_POST
def traces_pull(request: Request, project: Project) -> HttpResponse:
    """Look for new traces now."""
    error = first_project.pull_newest(project)
    if not error:
        return redirect("setup:first-queue", project=project.slug)
    context = {
        "project": project, "rows": [(trace, True) for trace in first_project.get_newest(project)], "error": error,
        "templates": queue_templates.TEMPLATES, "template_slug": queue_templates.TEMPLATES[0].slug,
    }  # fmt: skip
    return render_page(request, "onboarding/first_queue.html", context, status=502)


@access.member(Role.REVIEWER)
@require_safe
def tour(request: Request, project: Project) -> HttpResponse:
    """What to try as reviewer, lead and admin."""
    queue = Queue.objects.filter(project=project, archived_at=None).order_by("pk").first()
    return render_page(request, "onboarding/tour.html", {"project": project, "queue": queue})


@access.member(Role.REVIEWER)
@require_POST
def tour_dismiss(request: Request, project: Project) -> HttpResponse:
    """Hide the link to the tour on the home page for the rest of the session."""
    request.session["is_tour_dismissed"] = True
    return redirect("insights:project-home", project=project.slug)


def _has_embedded_store() -> bool:
    return bool(settings.EMBEDDED_STORE_URL and settings.EMBEDDED_STORE_KEY)


def _read_connection(request: Request) -> dict[str, str] | None:
    """The form's data; for the embedded store, its address and key. None before the form is sent."""
    if request.method != "POST":
        return None
    if "embedded" in request.POST and _has_embedded_store():
        return {
            "name": request.POST.get("name", "").strip() or "My project",
            "base_url": settings.EMBEDDED_STORE_URL, "key": settings.EMBEDDED_STORE_KEY,
        }  # fmt: skip
    return {name: request.POST.get(name, "") for name in ConnectForm.base_fields}
