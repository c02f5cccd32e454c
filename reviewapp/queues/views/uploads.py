"""Add the traces of a file to a queue: upload it, confirm its columns, watch it being added."""

from collections.abc import Iterator, Mapping

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib import canonical_json, csv_cells
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.forms import UploadForm
from reviewapp.queues.models import Queue
from reviewapp.queues.models.upload import Upload, UploadState
from reviewapp.queues.uploads import columns, lifecycle
from reviewapp.queues.uploads.receiving import UploadRefused, receive
from reviewapp.web.pages import NO_STORE, render_page
from reviewapp.web.request import Request

MAX_LISTED = 50
MAX_FAULTS_SHOWN = 20


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def upload_list(request: Request, project: Project, queue: str) -> HttpResponse:
    """List the queue's newest uploads; receive a file on POST."""
    target, error = get_queue_or_404(project, queue), ""
    file = request.FILES.get("file") if request.method == "POST" else None
    if request.method == "POST" and file is None:
        error = "Choose a file first. Nothing was added."
    elif file is not None:
        try:
            upload, is_new = receive(target, request.user, file.name or "file", file.chunks())
        except UploadRefused as refusal:
            error = str(refusal)
        else:
            if not is_new:
                messages.info(request, "This file was uploaded to this queue before. Nothing was added: this is it.")
            return redirect("queues:upload-page", project=project.slug, queue=queue, upload=upload.pk)
    uploads = Upload.objects.filter(queue=target).order_by("-pk")[:MAX_LISTED]
    context = {"project": project, "section": "queues", "queue": target, "uploads": uploads, "error": error}
    return render_page(request, "queues/uploads.html", context, status=422 if error else 200)


@access.member(Role.LEAD)
@require_safe
def upload_page(request: Request, project: Project, queue: str, upload: int) -> HttpResponse:
    current = _get_upload_or_404(project, queue, upload)
    return render_page(request, "queues/upload.html", _build_context(project, current), fragment="progress")


@access.member(Role.LEAD)
@require_POST
def upload_start(request: Request, project: Project, queue: str, upload: int) -> HttpResponse:
    """Let the worker check or add the file under the columns of the form."""
    current = _get_upload_or_404(project, queue, upload)
    if current.is_view:
        options = {name: name in request.POST for name in ("brings_back", "requeues")}
        return _start(request, current, UploadState.ADDING, options)
    layout = columns.load_layout(current)
    form = UploadForm(layout, request.POST)
    if not form.is_valid():
        context = _build_context(project, current) | {"form": form}
        return render_page(request, "queues/upload.html", context, status=422)
    layout.fields, data = form.read_fields(), form.cleaned_data
    state = UploadState.CHECKING if "check" in request.POST else UploadState.ADDING
    changes = {
        "layout": canonical_json.dumps(layout.to_json()), "reason": data["reason"], "priority": data["priority"] or 0,
        "due_at": data["due_at"], "brings_back": data["brings_back"], "requeues": data["requeues"],
    }  # fmt: skip
    return _start(request, current, state, changes)


@access.member(Role.LEAD)
@require_POST
def upload_cancel(request: Request, project: Project, queue: str, upload: int) -> HttpResponse:
    current = _get_upload_or_404(project, queue, upload)
    if lifecycle.cancel(current, request.user):
        messages.success(request, "Upload cancelled. What it had added stays in the queue.")
    else:
        messages.info(request, "Nothing was changed: this upload is done or cancelled.")
    return redirect("queues:upload-page", project=project.slug, queue=queue, upload=upload)


@access.member(Role.LEAD)
@require_POST
def upload_repeat(request: Request, project: Project, queue: str, upload: int) -> HttpResponse:
    """Show the columns of a finished file again, so that it can be processed once more."""
    if not lifecycle.reopen(_get_upload_or_404(project, queue, upload)):
        messages.info(request, "Nothing was changed: the file is no longer kept. Upload it again.")
    return redirect("queues:upload-page", project=project.slug, queue=queue, upload=upload)


@access.member(Role.LEAD)
@require_safe
def upload_faults(request: Request, project: Project, queue: str, upload: int) -> HttpResponseBase:
    """The lines that were not added, as CSV."""
    current = _get_upload_or_404(project, queue, upload)
    response = StreamingHttpResponse(_fault_lines(current), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{queue}-upload-{upload}-errors.csv"'
    response["Cache-Control"] = NO_STORE
    return response


def _start(request: Request, upload: Upload, state: UploadState, changes: Mapping[str, object]) -> HttpResponse:
    if not lifecycle.start(upload, request.user, state, **changes):
        messages.info(request, "Nothing was changed: this upload has been started or cancelled already.")
    queue = upload.queue
    return redirect("queues:upload-page", project=queue.project.slug, queue=queue.slug, upload=upload.pk)


def _fault_lines(upload: Upload) -> Iterator[str]:
    yield csv_cells.format_line(["line", "problem"])
    for line, problem in upload.faults.order_by("line", "pk").values_list("line", "problem").iterator(chunk_size=500):
        yield csv_cells.format_line([line, csv_cells.escape_formula(problem)])


def _get_upload_or_404(project: Project, queue: str, pk: int) -> Upload:
    """Raises Http404."""
    target: Queue = get_queue_or_404(project, queue)
    upload = Upload.objects.filter(queue=target, pk=pk).exclude(state=UploadState.RECEIVING).first()
    if upload is None:
        raise Http404("There is no such upload to this queue.")
    upload.queue = target
    return upload


def _build_context(project: Project, upload: Upload) -> dict[str, object]:
    context: dict[str, object] = {
        "project": project, "section": "queues", "queue": upload.queue, "upload": upload,
        "faults": list(upload.faults.order_by("line", "pk")[:MAX_FAULTS_SHOWN]),
    }  # fmt: skip
    if upload.state in (UploadState.MAPPING, UploadState.CHECKED) and not upload.is_view:
        layout = columns.load_layout(upload)
        initial = {
            "reason": upload.reason, "priority": upload.priority, "due_at": upload.due_at or "",
            "brings_back": upload.brings_back, "requeues": upload.requeues,
        }  # fmt: skip
        form = UploadForm(layout, initial=initial)
        context |= {"layout": layout, "rows": columns.preview_rows(upload, layout), "form": form}
    return context
