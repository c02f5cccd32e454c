"""Compare a review's revisions, accept reviews and send them back."""

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role, User
from reviewapp.lib.numbers import parse_int
from reviewapp.queues.models.assignment import Assignment
from reviewapp.reviews import sending_back
from reviewapp.reviews.models import Review
from reviewapp.reviews.revisions import compare_revisions
from reviewapp.reviews.sending_back import MAX_REVIEWS, Outcome
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

CHANGES = ("accept", "send-back")
NO_REVIEWS = "Nothing was changed. Tick some reviews."
UNKNOWN_PERSON = "Nothing was changed. Nobody of this name is active in the project."
UNSTORABLE = "Nothing was changed. The comment contains a character that cannot be stored (NUL). Remove it."


@access.member(Role.LEAD)
@require_safe
def review_revisions(request: Request, project: Project, review: int) -> HttpResponse:
    """A review's revisions, each with what it changed."""
    rows = Review.objects.select_related("item__queue", "reviewer")
    chosen = rows.filter(item__queue__project=project, pk=review).first()
    if chosen is None:
        raise Http404("There is no such review in this project.")
    chosen.item.queue.project = project
    changes = compare_revisions(chosen)
    context = {"project": project, "section": "reviews", "review": chosen, "changes": changes}
    return render_page(request, "reviews/revisions.html", context)


@access.member(Role.LEAD)
@require_POST
def reviews_change(request: Request, project: Project) -> HttpResponse:
    """Accept the reviews that `review` names or send them back: a preview or, with `confirm`, the change."""
    form_data = request.POST
    change = form_data.get("change", "")
    reviews, unknown = _read_reviews(project, form_data)
    if change not in CHANGES or not reviews:
        messages.error(request, NO_REVIEWS)
        return redirect("insights:review-audit", project=project.slug)
    person, error = _read_person(project, form_data)
    comment = form_data.get("comment", "").strip()
    error = error or _find_comment_error(comment)
    if "confirm" in form_data and not error:
        if change == "accept":
            outcome = sending_back.accept(project, reviews, request.user)
        else:
            outcome = sending_back.send_back(project, reviews, request.user, comment, to=person)
        messages.success(request, _describe(outcome, "accepted" if change == "accept" else "sent back"))
        return redirect("insights:review-audit", project=project.slug)
    is_accepting = change == "accept"
    plan = sending_back.plan_accepting(reviews) if is_accepting else None
    context = {
        "project": project, "section": "reviews", "change": change, "reviews": reviews, "unknown": unknown,
        "outcome": plan or sending_back.plan_sending_back(project, reviews, person), "error": error,
        "comment": comment, "person": form_data.get("person", ""),
        "people": User.objects.filter(memberships__project=project, is_active=True).order_by("username"),
    }  # fmt: skip
    return render_page(request, "reviews/change.html", context, status=422 if error else 200)


def _read_reviews(project: Project, form_data: QueryDict) -> tuple[list[Review], list[str]]:
    """The project's reviews among those that a form names, at most MAX_REVIEWS, and the texts that name none."""
    texts = list(dict.fromkeys(form_data.getlist("review")))[:MAX_REVIEWS]
    pks = [parse_int(text) for text in texts]
    rows = Review.objects.filter(item__queue__project=project, pk__in=[pk for pk in pks if pk is not None])
    reviews = list(rows.select_related("item__queue", "reviewer").order_by("pk"))
    for review in reviews:
        review.item.queue.project = project
    known = {review.pk for review in reviews}
    return reviews, [text[:20] for text, pk in zip(texts, pks, strict=True) if pk not in known]


def _read_person(project: Project, form_data: QueryDict) -> tuple[User | None, str]:
    """Who reviews again, None for each review's own person; and an error, empty if there is none."""
    username = form_data.get("person", "")
    if not username:
        return None, ""
    members = User.objects.filter(memberships__project=project, is_active=True)
    person = None if "\0" in username else members.filter(username=username).first()
    return person, "" if person else UNKNOWN_PERSON


def _find_comment_error(comment: str) -> str:
    limit = Assignment.MAX_COMMENT_LENGTH
    if len(comment) > limit:
        return f"Nothing was changed. The comment has {len(comment):,} characters; the limit is {limit:,}. Shorten it."
    return UNSTORABLE if "\0" in comment else ""


def _describe(outcome: Outcome, verb: str) -> str:
    count, refused = len(outcome.changed), sum(map(len, outcome.refused.values()))
    sentence = f"{count:,} review{pluralize(count)} {verb}."
    if refused:
        reasons = ", ".join(reason for reason, reviews in outcome.refused.items() if reviews)
        sentence += f" {refused:,} did not change: {reasons}."
    return sentence
