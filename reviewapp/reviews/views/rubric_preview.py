"""A rubric that is not saved yet, as a reviewer would see it."""

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.queues.rubric import editor
from reviewapp.queues.views.queues import get_queue_or_404
from reviewapp.reviews.forms import ReviewForm
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

ORIGINAL = "Here stands the trace's answer, for the reviewer to correct."


@access.member(Role.LEAD)
@require_POST
def rubric_preview(request: Request, project: Project, queue: str) -> HttpResponse:
    sketch = editor.parse_editor(get_queue_or_404(project, queue), request.POST).preview_queue()
    form = ReviewForm.on(sketch, 0, None, ORIGINAL)
    context = {"project": project, "section": "queues", "queue": sketch, "form": form}
    return render_page(request, "reviews/rubric_preview.html", context, fragment="preview")
