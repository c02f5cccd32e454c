"""Preview an unsaved rubric as reviewers would see it."""

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.rubric import editor
from reviewapp.reviews.forms import ReviewForm
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

EXAMPLE_ANSWER = "The trace's answer is shown here for the reviewer to correct."


@access.member(Role.LEAD)
@require_POST
def rubric_preview(request: Request, project: Project, queue: str) -> HttpResponse:
    unsaved_queue = editor.parse_editor(get_queue_or_404(project, queue), request.POST).preview_queue()
    form = ReviewForm.for_review(unsaved_queue, 0, None, EXAMPLE_ANSWER)
    context = {"project": project, "section": "queues", "queue": unsaved_queue, "form": form}
    return render_page(request, "reviews/rubric_preview.html", context, fragment="preview")
