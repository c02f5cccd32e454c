"""The page of a queue's failure rate."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.quality.failure_rate import HALF_WIDTH, count_hand_picked, estimate_failure_rates
from reviewapp.quality.failures import list_tests
from reviewapp.queues.access import get_queue_or_404
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_safe
def failure_rate_page(request: Request, project: Project, queue: str) -> HttpResponse:
    """How often the application fails, by the test `?failed=`."""
    review_queue = get_queue_or_404(project, queue)
    tests = list_tests(review_queue)
    test = next((test for test in tests if test.name == request.GET.get("failed")), tests[0])
    context = {
        "project": project, "section": "queues", "queue": review_queue, "tests": tests, "test": test,
        "rates": estimate_failure_rates(review_queue, test), "hand_picked": count_hand_picked(review_queue),
        "points": round(100 * HALF_WIDTH),
    }  # fmt: skip
    return render_page(request, "quality/failure_rate.html", context)
