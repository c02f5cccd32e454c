"""The lead's page of what a queue asks."""

from dataclasses import replace

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.queues.models import Rubric
from reviewapp.queues.rubric import versions
from reviewapp.queues.rubric.criteria import KINDS
from reviewapp.queues.rubric.editor import Editor, open_editor, parse_editor
from reviewapp.queues.views.queues import get_queue_or_404
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def queue_rubric(request: Request, project: Project, queue: str) -> HttpResponse:
    found = get_queue_or_404(project, queue)
    if request.method == "GET":
        return _show(request, open_editor(found))
    editor = parse_editor(found, request.POST)
    act = request.POST.get("act", "save")
    return _saved(request, editor) if act == "save" else _show(request, editor.after(act))


def _saved(request: Request, editor: Editor) -> HttpResponse:
    wanted, faults = editor.wanted()
    if faults:
        return _show(request, editor, faults)
    try:
        is_new = versions.save_rubric(wanted, request.user, version=editor.version)
    except ValidationError as error:
        return _show(request, editor, error.messages)
    except versions.StaleRubricError as outdated:
        now = outdated.queue.rubric_version
        theirs = Rubric.objects.filter(queue=editor.queue, version=now).first()
        return _show(request, replace(editor, version=now), theirs=theirs, status=409)
    if is_new:
        messages.success(request, f"The rubric is saved as version {wanted.rubric_version}. It holds from now on.")
    else:
        messages.info(request, "Nothing was changed: the queue asks this already.")
    return redirect("queues:queue-board", project=editor.queue.project.slug, queue=editor.queue.slug)


def _show(
    request: Request,
    editor: Editor,
    faults: list[str] | None = None,
    *,
    theirs: Rubric | None = None,
    status: int = 200,
) -> HttpResponse:
    project = editor.queue.project
    key = get_active_key(project)
    context = {
        "project": project, "section": "queues", "queue": editor.queue, "editor": editor, "kinds": KINDS.items(),
        "presets": versions.PRESETS.items(), "faults": faults or [], "theirs": theirs, "is_outdated": status == 409,
        "cannot_tag": key is not None and not key.can_read,
    }  # fmt: skip
    return render_page(request, "queues/rubric.html", context, fragment="fields", status=422 if faults else status)
