"""Pages for leads to create and edit queues, and the board that every member sees."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.delivery.models import Patch
from reviewapp.lib import clock
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import adding
from reviewapp.queues.access import get_queue_item_or_404, get_queue_or_404
from reviewapp.queues.changing import change_queue
from reviewapp.queues.creating import create_queue
from reviewapp.queues.forms import NewQueueForm, PasteForm, QueueForm
from reviewapp.queues.key_conflicts import shared_keys
from reviewapp.queues.models import ItemState, Queue, QueueItem, Source
from reviewapp.queues.progress import progress_by_queue, queue_progress
from reviewapp.queues.removing import remove
from reviewapp.traces.filter_models import Posting
from reviewapp.traces.models import Trace
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50
NOT_REMOVED = "Not removed. The item has been reviewed, or a colleague has it open."


@access.member(Role.REVIEWER)
@require_safe
def queue_list(request: Request, project: Project) -> HttpResponse:
    is_archived = "archived" in request.GET
    page_number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    rows, has_more = progress_by_queue(project, is_archived=is_archived, page=page_number)
    context = {
        "project": project, "section": "queues", "is_archived": is_archived,
        "rows": rows, "has_more": has_more, "page_number": page_number,
        "has_archived": Queue.objects.filter(project=project).exclude(archived_at=None).exists(),
    }  # fmt: skip
    return render_page(request, "queues/list.html", context, fragment="rows")


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def queue_create(request: Request, project: Project) -> HttpResponse:
    form = NewQueueForm(request.POST if request.method == "POST" else None, instance=Queue(project=project))
    if request.method == "POST" and form.is_valid():
        try:
            queue = create_queue(project, actor=request.user, **form.cleaned_data)
            return redirect("queues:queue-board", project=project.slug, queue=queue.slug)
        except ValidationError as error:
            form.add_error(None if hasattr(error, "error_dict") else "slug", error)
    status = 422 if form.errors else 200
    return render_page(
        request, "queues/settings.html", {"project": project, "section": "queues", "form": form}, status=status
    )


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def queue_settings(request: Request, project: Project, queue: str) -> HttpResponse:
    instance = get_queue_or_404(project, queue)
    form = QueueForm(request.POST if request.method == "POST" else None, instance=instance)
    if request.method == "POST" and form.is_valid():
        try:
            data = form.cleaned_data
            changed = {name: data[name] for name in form.changed_data if data[name] != form.initial[name]}
            change_queue(instance, request.user, changed)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "Settings saved. They apply to new reviews.")
            return redirect("queues:queue-board", project=project.slug, queue=queue)
    context = {"project": project, "section": "queues", "form": form, "queue": instance}
    return render_page(request, "queues/settings.html", context, status=422 if form.errors else 200)


@access.member(Role.LEAD)
@require_POST
def queue_archive(request: Request, project: Project, queue: str) -> HttpResponse:
    """Archive the queue, or with `restore` take it out of the archive."""
    instance, restores = get_queue_or_404(project, queue), "restore" in request.POST
    if restores != (instance.archived_at is None):
        change_queue(instance, request.user, {"archived_at": None if restores else clock.now()})
    done = "Queue restored." if restores else "Queue archived. Its rules are stopped; its reviews stay."
    messages.success(request, done)
    return redirect("queues:queue-board", project=project.slug, queue=queue)


@access.member(Role.REVIEWER)
@require_safe
def queue_board(request: Request, project: Project, queue: str) -> HttpResponse:
    context = _board_context(request, get_queue_or_404(project, queue))
    return render_page(request, "queues/board.html", context, fragment="items")


@access.member(Role.LEAD)
@require_POST
def item_add(request: Request, project: Project, queue: str) -> HttpResponse:
    """Add the traces of the lines that can be read; the other lines stay in the form, each with its error."""
    target = get_queue_or_404(project, queue)
    form, outcome = PasteForm(request.POST.copy()), ""
    if form.is_valid():
        data = form.cleaned_data
        paste = adding.parse_paste(
            data["ids"], reason=data["reason"], priority=data["priority"] or 0, due_at=data["due_at"]
        )
        for error in paste.errors:
            form.add_error("ids", error)
        if target.archived_at is not None:
            form.add_error("ids", str(adding.QueueArchivedError()))
        elif paste.entries:
            result = adding.add(target, paste.entries, request.user, source=Source.PASTE, bring_back=True)
            outcome = describe_added(target, result.added, result.duplicates, brought_back=result.brought_back)
            form.data["ids"] = "\n".join(paste.refused_lines)  # type: ignore[index]
        elif not paste.errors:
            form.add_error("ids", "Paste at least one trace id.")
    if form.errors:
        context = {**_board_context(request, target), "form": form, "outcome": outcome}
        return render_page(request, "queues/board.html", context, status=422)
    messages.success(request, outcome)
    return redirect("queues:queue-board", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def item_remove(request: Request, project: Project, queue: str, item: int) -> HttpResponse:
    queue_item = get_queue_item_or_404(project, queue, item)
    context = {"project": project, "section": "queues", "queue": queue_item.queue, "item": queue_item}
    if request.method == "GET":
        return render_page(request, "queues/item_remove.html", context)
    if not remove(queue_item, request.user):
        return render_page(request, "queues/item_remove.html", {**context, "error": NOT_REMOVED}, status=409)
    messages.success(request, "Trace removed from the queue. Rules will not add it again.")
    return redirect("queues:queue-board", project=project.slug, queue=queue)


def describe_added(queue: Queue, added: int, duplicates: int, *, brought_back: int = 0, removed: int = 0) -> str:
    """Describe the outcome of adding traces, one sentence for each count that is not 0."""
    noun = "session" if queue.is_by_session else "trace"
    sentences = [f"{added:,} {noun}{pluralize(added)} added." if added else f"No new {noun}s."]
    if duplicates and queue.is_by_session:
        verb = pluralize(duplicates, " belongs,s belong")
        sentences.append(f"{duplicates:,} trace{verb} to a session that was already in the queue.")
    elif duplicates:
        sentences.append(f"{duplicates:,} {pluralize(duplicates, 'was,were')} already in the queue and did not change.")
    if brought_back:
        sentences.append(f"{brought_back:,} of these had been removed from this queue before.")
    if removed:
        sentences.append(
            f"{removed:,} {pluralize(removed, 'was,were')} removed from this queue before and not added."
            " To add removed traces again, paste their ids on the queue's page."
        )
    return " ".join(sentences)


def _board_context(request: Request, queue: Queue) -> dict[str, object]:
    items = QueueItem.objects.filter(queue=queue).in_order().select_related("claimed_by")
    state = request.GET.get("state", "")
    state = state if state in ItemState.values else ""
    if state:
        items = items.filter(state=state)
    page_number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    rows = list(items[(page_number - 1) * PAGE_SIZE : page_number * PAGE_SIZE + 1])
    traces = Trace.objects.filter(project=queue.project, trace_id__in=[item.trace_id for item in rows])
    by_trace_id = {trace.trace_id: trace for trace in traces.defer("metadata", "unconfirmed")}
    return {
        "project": queue.project,
        "queue": queue,
        "section": "queues",
        "progress": queue_progress(queue),
        "rows": [(item, by_trace_id.get(item.trace_id)) for item in rows[:PAGE_SIZE]],
        "page_number": page_number,
        "has_more": len(rows) > PAGE_SIZE,
        "state": state,
        "states": ItemState.values,
        "application_keys": _application_keys(queue),
        "shared_keys": shared_keys(queue),
        "form": PasteForm(),
    }


def _application_keys(queue: Queue) -> list[str]:
    """Return the queue's keys that the application itself sets: those on its traces that we have never pushed to."""
    untouched = QueueItem.objects.filter(queue=queue, trace_id=OuterRef("trace__trace_id"), version=0)
    pushed = Patch.objects.filter(project=queue.project, trace_id=OuterRef("trace__trace_id"))
    postings = Posting.objects.filter(term__project=queue.project, term__key__in=queue.pushed_keys)
    keys = postings.filter(Exists(untouched), ~Exists(pushed)).values_list("term__key", flat=True)[:500]
    return sorted(set(keys))
