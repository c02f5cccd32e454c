"""The comments on an item, and a person's inbox."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import inbox
from reviewapp.queues.access import get_item_or_404
from reviewapp.queues.models.discussion import Comment, Notification
from reviewapp.reviews.commenting import InvalidCommentError, add_comment
from reviewapp.reviews.models import Review
from reviewapp.reviews.visibility import can_comment, select_visible_comments
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

REVIEWERS_ONLY = "Only leads and the item's reviewers can comment. Open the item to review it, then try again."
# Of an item; older ones are not shown.
MAX_COMMENTS = 500


@access.member(Role.REVIEWER)
@require_http_methods(["GET", "POST"])
def item_comments(request: Request, project: Project, item: int) -> HttpResponse:
    """The comments that this person may see; on POST, one more."""
    queue_item = get_item_or_404(project, item)
    text, error = "", ""
    if request.method == "POST":
        if not can_comment(queue_item, request.user):
            raise PermissionDenied(REVIEWERS_ONLY)
        text = request.POST.get("text", "")
        try:
            _, unknown = add_comment(queue_item, request.user, text)
        except InvalidCommentError as invalid:
            error = str(invalid)
        else:
            if unknown:
                names = ", ".join(f"@{name}" for name in unknown)
                messages.warning(request, f"Comment saved. Nobody in this project is called {names}: not notified.")
            return redirect("reviews:item-comments", project=project.slug, item=queue_item.pk)
    newest = select_visible_comments(queue_item, request.user).select_related("author").order_by("-pk")
    context = {
        "project": project, "section": "queues", "item": queue_item, "queue": queue_item.queue,
        "comments": list(newest[:MAX_COMMENTS])[::-1], "can_comment": can_comment(queue_item, request.user),
        "text": text, "error": error, "max_length": Comment.MAX_LENGTH,
    }  # fmt: skip
    return render_page(request, "reviews/comments.html", context, status=422 if error else 200)


@access.member(Role.REVIEWER)
@require_http_methods(["GET", "POST"])
def inbox_page(request: Request, project: Project) -> HttpResponse:
    """The person's inbox; on POST, mark the entry in `entry` read, or all."""
    if request.method == "POST":
        pk = parse_int(request.POST.get("entry"))
        inbox.mark_read(project, request.user, None if pk is None else [pk])
        return redirect("reviews:inbox", project=project.slug)
    entries = inbox.list_entries(project, request.user, before=parse_int(request.GET.get("before")))
    page = entries[: inbox.PAGE_SIZE]
    context = {
        "project": project, "section": "inbox", "rows": _attach(request, project, page),
        "next": page[-1].pk if len(entries) > inbox.PAGE_SIZE else None,
    }  # fmt: skip
    return render_page(request, "reviews/inbox.html", context)


def _attach(request: Request, project: Project, entries: list[Notification]) -> list[dict[str, object]]:
    """Each entry with its comment, if this person may see it, and the review that fixed what was sent back."""
    fixed = [entry for entry in entries if entry.kind == Notification.Kind.FIXED]
    rows = Review.objects.filter(item__in=[entry.item_id for entry in fixed], is_latest=True)
    latest = {(review.item_id, review.reviewer.username): review for review in rows.select_related("reviewer")}
    visible: dict[int, set[int]] = {}
    for entry in entries:
        if entry.comment is not None and entry.item is not None and entry.item_id not in visible:
            entry.item.queue.project = project
            comments = select_visible_comments(entry.item, request.user)
            visible[entry.item.pk] = set(comments.values_list("pk", flat=True))
    return [
        {
            "entry": entry, "review": latest.get((entry.item_id or 0, entry.by)) if entry in fixed else None,
            "comment": entry.comment if entry.comment_id in visible.get(entry.item_id or 0, ()) else None,
        }
        for entry in entries
    ]  # fmt: skip
