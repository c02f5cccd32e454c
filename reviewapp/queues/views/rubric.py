"""The page on which leads edit a queue's rubric."""

from dataclasses import replace

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.keys.laminar_keys import get_active_key
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.models import Rubric
from reviewapp.queues.rubric import versions
from reviewapp.queues.rubric.criteria import KINDS
from reviewapp.queues.rubric.editor import Editor, open_editor, parse_editor
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def queue_rubric(request: Request, project: Project, queue: str) -> HttpResponse:
    stored = get_queue_or_404(project, queue)
    if request.method == "GET":
        return _render_editor(request, open_editor(stored))
    editor = parse_editor(stored, request.POST)
    action = request.POST.get("act", "save")
    return _save(request, editor) if action == "save" else _render_editor(request, editor.apply_action(action))


def _save(request: Request, editor: Editor) -> HttpResponse:
    edited, errors = editor.build_queue()
    if errors:
        return _render_editor(request, editor, errors)
    try:
        is_changed = versions.save_rubric(edited, request.user, version=editor.version)
    except ValidationError as error:
        return _render_editor(request, editor, error.messages)
    except versions.StaleRubricError as error:
        version = error.queue.rubric_version
        newer = Rubric.objects.filter(queue=editor.queue, version=version).first()
        return _render_editor(request, replace(editor, version=version), newer=newer, status=409)
    if is_changed:
        messages.success(request, f"Rubric saved as version {edited.rubric_version}. It applies to new reviews.")
    else:
        messages.info(request, "The rubric has no changes to save.")
    return redirect("queues:queue-board", project=editor.queue.project.slug, queue=editor.queue.slug)


def _render_editor(
    request: Request,
    editor: Editor,
    errors: list[str] | None = None,
    *,
    newer: Rubric | None = None,
    status: int = 200,
) -> HttpResponse:
    project = editor.queue.project
    key = get_active_key(project)
    context = {
        "project": project, "section": "queues", "queue": editor.queue, "editor": editor, "kinds": KINDS.items(),
        "presets": versions.PRESETS.items(), "errors": errors or [], "newer": newer, "is_outdated": status == 409,
        "cannot_tag": key is not None and not key.can_read,
    }  # fmt: skip
    return render_page(request, "queues/rubric.html", context, fragment="fields", status=422 if errors else status)
