"""The lead's page of who reviews which items of a queue."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_http_methods, require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.audit.recording import record
from reviewapp.lib import clock
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import assigning, claiming
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.assigning import Change
from reviewapp.queues.models import ItemQuerySet, ItemState, Queue, QueueItem, WhoReviews
from reviewapp.queues.models.assignment import MAX_WEIGHT, Assignment, QueueReviewer
from reviewapp.traces.models import Trace
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50
# Items of a person that the page lists under “View as”.
MAX_UPCOMING = 20
MAX_NAMED = 20
NO_PERSON = "Nothing was changed. Choose a person."
NO_CHANGE = "Nothing was changed. Choose what to do."
NO_ITEMS = "Nothing was changed. Tick some items, or all that match."


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def queue_assign(request: Request, project: Project, queue: str) -> HttpResponse:
    """Who has what; on POST, a preview of a change or, with `confirm`, the change."""
    target = get_queue_or_404(project, queue)
    if request.method == "GET":
        return render_page(request, "queues/assign.html", _page_context(request, target, request.GET))
    form_data = request.POST
    change, person, error = _read_change(target, form_data)
    pks = _read_items(target, form_data)
    error = error or ("" if pks else NO_ITEMS)
    if error or change is None:
        context = {**_page_context(request, target, form_data), "error": error}
        return render_page(request, "queues/assign.html", context, status=422)
    if "confirm" not in form_data:
        plan = assigning.plan(target, pks, change, person)
        context = {
            "project": project, "section": "queues", "queue": target, "plan": plan, "change": change.value,
            "person": person, "pks": pks, "refused": _describe_refused(plan), "max_named": MAX_NAMED,
        }  # fmt: skip
        return render_page(request, "queues/assign_preview.html", context)
    plan = assigning.apply(target, pks, change, request.user, person)
    messages.success(request, _describe_outcome(plan))
    return redirect("queues:queue-assign", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_POST
def queue_people(request: Request, project: Project, queue: str) -> HttpResponse:
    """Save who reviews the queue, each person's weight in `weight-<user>`; empty or 0 for those who do not."""
    target, form_data = get_queue_or_404(project, queue), request.POST
    who = form_data.get("who_reviews", "")
    weights, error = _read_weights(project, form_data)
    if who not in WhoReviews.values:
        error = "Not saved. Choose who reviews."
    elif who != WhoReviews.ANYONE and not weights:
        error = "Not saved. Give at least one person a weight above 0."
    if error:
        context = {**_page_context(request, target, QueryDict()), "people_error": error}
        return render_page(request, "queues/assign.html", context, status=422)
    with transaction.atomic():
        Queue.objects.select_for_update(no_key=True).get(pk=target.pk)
        Queue.objects.filter(pk=target.pk).update(who_reviews=who)
        QueueReviewer.objects.filter(queue=target).delete()
        QueueReviewer.objects.bulk_create(
            QueueReviewer(queue=target, user_id=user, weight=weight) for user, weight in weights.items()
        )
        record(project, request.user, "changed reviewers", f"queue:{target.slug}", who=who, people=len(weights))
    messages.success(request, "Saved who reviews this queue.")
    return redirect("queues:queue-assign", project=project.slug, queue=queue)


def _read_change(queue: Queue, form_data: QueryDict) -> tuple[Change | None, User | None, str]:
    """The change and the person that a form names, and an error, empty if there is none."""
    change = None
    with suppress(ValueError):
        change = Change(form_data.get("change", ""))
    if change is None:
        return None, None, NO_CHANGE
    if change not in (Change.ASSIGN, Change.REASSIGN):
        return change, None, ""
    person = _find_member(queue.project, form_data.get("person", ""))
    return change, person, "" if person else NO_PERSON


def _find_member(project: Project, username: str) -> User | None:
    if "\0" in username:
        return None
    members = User.objects.filter(is_active=True, memberships__project=project, username=username)
    return members.first()


def _read_items(queue: Queue, form_data: QueryDict) -> list[int]:
    """The items that a form ticks or, with `all`, the pending ones that match its filter, at most MAX_ITEMS."""
    if "all" in form_data:
        items = _filter_items(queue, form_data.get("assigned", ""))
        return list(items.in_order().values_list("pk", flat=True)[: assigning.MAX_ITEMS])
    numbers = [parse_int(text, max_value=2**53) for text in form_data.getlist("item")]
    return [number for number in numbers if number is not None][: assigning.MAX_ITEMS]


def _read_weights(project: Project, form_data: QueryDict) -> tuple[dict[int, int], str]:
    """The weight of each person with one, and an error, empty if there is none."""
    weights: dict[int, int] = {}
    for user in Membership.objects.filter(project=project).values_list("user", flat=True):
        text = form_data.get(f"weight-{user}", "").strip() or "0"
        weight = parse_int(text, max_value=MAX_WEIGHT)
        if weight is None:
            return {}, f"Not saved. A weight is a whole number from 0 to {MAX_WEIGHT}."
        if weight:
            weights[user] = weight
    return weights, ""


def _filter_items(queue: Queue, assigned: str) -> ItemQuerySet:
    """The pending items of the queue: all, with `nobody` the unassigned ones, else those assigned to this person."""
    items = QueueItem.objects.pending().filter(queue=queue)
    if assigned == "nobody":
        return items.filter(assigned_count=0)
    if not assigned or "\0" in assigned:
        return items
    rows = Assignment.objects.filter(queue=queue, done_at=None, user__username=assigned)
    return items.filter(pk__in=rows.values("item"))


def _page_context(request: Request, queue: Queue, query: QueryDict) -> dict[str, object]:
    assigned, page_number = query.get("assigned", ""), parse_int(query.get("page"), max_value=100_000) or 1
    matching = _filter_items(queue, assigned)
    items = matching.in_order().select_related("claimed_by")
    rows = list(items[(page_number - 1) * PAGE_SIZE : page_number * PAGE_SIZE + 1])
    people = _load_people(queue)
    viewed = _find_member(queue.project, query.get("as", ""))
    return {
        "project": queue.project, "section": "queues", "queue": queue, "people": people,
        "rows": _attach(queue, rows[:PAGE_SIZE]), "has_more": len(rows) > PAGE_SIZE, "page_number": page_number,
        "assigned": assigned, "count": matching.count(), "max_items": assigning.MAX_ITEMS,
        "changes": list(Change), "who_choices": WhoReviews.choices, "ticked": set(query.getlist("item")),
        "viewed": viewed, "upcoming": _load_upcoming(queue, viewed) if viewed else [],
    }  # fmt: skip


def _load_people(queue: Queue) -> list[dict[str, object]]:
    """Each active member of the project with their weight, and how many items they have open, done and late."""
    counts = _count_work(queue, clock.now())
    weights = dict(QueueReviewer.objects.filter(queue=queue).values_list("user", "weight"))
    members = Membership.objects.filter(project=queue.project, is_active=True, user__is_active=True).select_related(
        "user"
    )
    return [
        {"user": member.user, "role": member.role, "weight": weights.get(member.user_id, 0),
         **counts.get(member.user_id, dict.fromkeys(("open", "done", "late"), 0))}
        for member in members.order_by("user__username")
    ]  # fmt: skip


def _count_work(queue: Queue, now: datetime) -> dict[int, dict[str, int]]:
    is_open = Q(done_at=None, item__state=ItemState.PENDING)
    rows = Assignment.objects.filter(queue=queue).order_by().values("user").annotate(
        open=Count("pk", filter=is_open), done=Count("pk", filter=Q(done_at__isnull=False)),
        late=Count("pk", filter=is_open & Q(item__due_at__lt=now)),
    )  # fmt: skip
    return {row["user"]: {name: row[name] for name in ("open", "done", "late")} for row in rows}


def _load_upcoming(queue: Queue, user: User) -> list[dict[str, object]]:
    """The items this person would get next, in their order."""
    pks = claiming.list_upcoming(queue, user, 0, MAX_UPCOMING)
    by_pk = QueueItem.objects.select_related("claimed_by").in_bulk(pks)
    return _attach(queue, [by_pk[pk] for pk in pks if pk in by_pk])


def _attach(queue: Queue, items: Sequence[QueueItem]) -> list[dict[str, object]]:
    """Each item with its trace's name and its open assignments."""
    traces = Trace.objects.filter(project=queue.project, trace_id__in=[item.trace_id for item in items])
    names = dict(traces.values_list("trace_id", "name"))
    by_item: dict[int, list[Assignment]] = {}
    rows = Assignment.objects.filter(item__in=[item.pk for item in items], done_at=None)
    for row in rows.select_related("user").order_by("pk"):
        by_item.setdefault(row.item_id, []).append(row)
    return [
        {"item": item, "name": names.get(item.trace_id, ""), "assignments": by_item.get(item.pk, [])}
        for item in items
    ]  # fmt: skip


def _describe_refused(plan: assigning.Plan) -> list[tuple[str, int, list[int]]]:
    """Each reason with the number of items and the first of them."""
    return [(reason, len(pks), pks[:MAX_NAMED]) for reason, pks in plan.refused.items() if pks]


def _describe_outcome(plan: assigning.Plan) -> str:
    changed, refused = len(plan.changed), sum(map(len, plan.refused.values()))
    sentence = f"{changed:,} item{pluralize(changed)} changed."
    if refused:
        sentence += f" {refused:,} did not: {', '.join(reason for reason, _, _ in _describe_refused(plan))}."
    if plan.unknown:
        numbers = ", ".join(map(str, plan.unknown[:MAX_NAMED]))
        sentence += f" Not items of this queue: {numbers}."
    return sentence
