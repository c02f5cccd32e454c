"""Pages on which leads settle what reviewers answered differently."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib import names
from reviewapp.lib.numbers import parse_int
from reviewapp.quality.models import MAX_RULING_LENGTH, Settlement
from reviewapp.quality.settling import StaleSettlementError, add_to_guideline, settle
from reviewapp.queues.access import get_queue_item_or_404, get_queue_or_404
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.rubric.versions import StaleRubricError
from reviewapp.reviews.models import Review, attach_rubrics
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50
MAX_RULINGS = 100
STALE = "Not settled. A colleague settled or reviewed this item after you opened it. Compare below and decide again."
LONG_RULING = f"Not settled. A ruling is one line of at most {MAX_RULING_LENGTH} characters. Shorten it and try again."


@access.member(Role.LEAD)
@require_safe
def disagreement_list(request: Request, project: Project, queue: str) -> HttpResponse:
    """Completed items whose reviewers answered differently, worst first, and the rulings so far."""
    review_queue = get_queue_or_404(project, queue)
    page_number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    items = list(_select_disagreements(review_queue)[(page_number - 1) * PAGE_SIZE : page_number * PAGE_SIZE + 1])
    settlements = Settlement.objects.filter(item__queue=review_queue).exclude(ruling="")
    context = {
        "project": project, "section": "queues", "queue": review_queue,
        "items": items[:PAGE_SIZE], "page_number": page_number, "has_more": len(items) > PAGE_SIZE,
        "rulings": settlements.select_related("settled_by").order_by("-pk")[:MAX_RULINGS],
    }  # fmt: skip
    return render_page(request, "quality/disagreements.html", context)


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def item_settle(request: Request, project: Project, queue: str, item: int) -> HttpResponse:
    """The answers of an item's reviewers side by side; a press takes those of one and opens the next item."""
    queue_item = get_queue_item_or_404(project, queue, item)
    if request.method == "GET":
        return _render_item(request, queue_item)
    ruling = request.POST.get("ruling", "").strip()
    if len(ruling) > MAX_RULING_LENGTH or (ruling and names.describe_unreadable(ruling)) or "\n" in ruling:
        return _render_item(request, queue_item, ruling=ruling, error=LONG_RULING, status=422)
    review_pk, version, number = (
        parse_int(request.POST.get(name), max_value=2**31 - 1) for name in ("review", "version", "number")
    )
    try:
        if review_pk is None or version is None or number is None:
            raise StaleSettlementError
        settle(queue_item, request.user, review_pk, version=version, number=number, ruling=ruling)
    except StaleSettlementError:
        queue_item.refresh_from_db(fields=["version", "state", "disagreement"])
        return _render_item(request, queue_item, ruling=ruling, error=STALE, status=409)
    messages.success(request, "Item settled. The answers you took are being pushed.")
    following = _select_disagreements(queue_item.queue).first()
    if following is None:
        return redirect("quality:disagreement-list", project=project.slug, queue=queue)
    return redirect("quality:item-settle", project=project.slug, queue=queue, item=following.pk)


@access.member(Role.LEAD)
@require_POST
def ruling_add(request: Request, project: Project, queue: str, settlement: int) -> HttpResponse:
    """Add a ruling to the guideline."""
    review_queue = get_queue_or_404(project, queue)
    row = Settlement.objects.filter(item__queue=review_queue, pk=settlement).exclude(ruling="").first()
    if row is None:
        raise Http404("There is no such ruling in this queue.")
    try:
        is_added = add_to_guideline(review_queue, row, request.user)
    except (StaleRubricError, ValidationError):
        messages.error(request, "Not added. The guideline is full, or someone changed it just now. Try again.")
    else:
        messages.success(request, "Ruling added to the guideline." if is_added else "The guideline has this ruling.")
    return redirect("quality:disagreement-list", project=project.slug, queue=queue)


def _select_disagreements(queue: Queue) -> QuerySet[QueueItem]:
    items = QueueItem.objects.filter(queue=queue, disagreement__gt=0, state=ItemState.COMPLETED)
    return items.order_by("-disagreement", "pk")


def _render_item(
    request: Request, item: QueueItem, *, ruling: str = "", error: str = "", status: int = 200
) -> HttpResponse:
    reviews = list(Review.objects.filter(item=item, is_latest=True).select_related("reviewer").order_by("reviewer"))
    for review in reviews:
        review.item = item
    attach_rubrics(reviews)
    settlements = list(Settlement.objects.filter(item=item).select_related("settled_by", "review__reviewer"))
    context = {
        "project": item.queue.project, "section": "queues", "queue": item.queue, "item": item, "reviews": reviews,
        "settlements": settlements, "ruling": ruling, "error": error, "max_ruling": MAX_RULING_LENGTH,
        "can_settle": item.state == ItemState.COMPLETED,
    }  # fmt: skip
    return render_page(request, "quality/settle.html", context, status=status)
