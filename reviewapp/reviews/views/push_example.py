"""What a queue pushes for two example reviews, beside its settings."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.queues.access import get_queue_or_404
from reviewapp.reviews.push_example import list_examples
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_safe
def push_example(request: Request, project: Project, queue: str) -> HttpResponse:
    stored = get_queue_or_404(project, queue)
    context = {"project": project, "section": "queues", "queue": stored, "examples": list_examples(stored)}
    return render_page(request, "reviews/push_example.html", context, fragment="examples")
