"""Pages for pushing one patch to many traces: the preview, then the progress, with undo."""

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.delivery import bulk as bulks
from reviewapp.delivery import patch_validation
from reviewapp.delivery.access import get_bulk_or_404
from reviewapp.delivery.intake import BulkUndoneError, IdempotencyKeyReusedError
from reviewapp.delivery.lint import lint, warn_high_cardinality
from reviewapp.delivery.patch_validation import InvalidPatchError
from reviewapp.lib import canonical_json
from reviewapp.lib.newlines import split_lines
from reviewapp.traces.filters import selection
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def traces_push(request: Request, project: Project) -> HttpResponse:
    """The form, its preview, and the push after confirmation, all for the traces that were shown first."""
    if request.method == "POST":
        chosen = selection.select_from_form(project, request.POST.get("traces", ""), bulks.MAX_TRACES)
    else:
        try:
            chosen = selection.select_from_query(project, request.GET, request.user, bulks.MAX_TRACES)
        except FilterError as error:
            messages.error(request, str(error))
            return redirect("traces:trace-list", project=project.slug)
    if chosen.unknown:
        messages.warning(request, chosen.unknown)
    if not chosen.pks:
        messages.info(request, "No traces selected. Select some rows, or all traces in the view.")
        return redirect("traces:trace-list", project=project.slug)
    if request.method == "POST":
        return _preview_or_push(request, project, chosen)
    return _render_form(request, project, chosen)


@access.member(Role.LEAD)
@require_safe
def bulk_page(request: Request, project: Project, bulk: int) -> HttpResponse:
    row = get_bulk_or_404(project, bulk)
    context = {
        "project": project, "section": "deliveries", "bulk": row, "counts": bulks.count_by_state(row),
        "values": canonical_json.raw_members(row.metadata), "can_be_undone": bulks.can_be_undone(row),
    }  # fmt: skip
    return render_page(request, "delivery/bulk.html", context, fragment="progress")


@access.member(Role.LEAD)
@require_POST
def bulk_undo(request: Request, project: Project, bulk: int) -> HttpResponse:
    row = get_bulk_or_404(project, bulk)
    undone = bulks.undo(row, request.user)
    if undone:
        messages.success(request, f"Undone for {_count_traces(undone)} before anything was sent.")
    if not_undone := bulks.count_not_undone(row):
        messages.info(
            request,
            f"Not undone for {_count_traces(not_undone)}: sending had started, or a later change to the trace"
            " already included it.",
        )
    elif not undone:
        messages.info(request, "Nothing to undo: all of this push has been undone already.")
    return redirect("bulk:bulk-page", project=project.slug, bulk=bulk)


def _count_traces(count: int) -> str:
    return "1 trace" if count == 1 else f"{count:,} traces"


def _preview_or_push(request: Request, project: Project, chosen: selection.Selection) -> HttpResponse:
    """Show the preview of the typed metadata, or push it if the preview was confirmed."""
    try:
        metadata = patch_validation.parse_pairs(
            line.strip() for line in split_lines(request.POST.get("metadata", "")) if line.strip()
        )
        findings = lint(metadata)
        refusals = [finding.sentence for finding in findings if finding.severity == "refusal"]
        if refusals:
            raise InvalidPatchError(" ".join(refusals))
        if "confirm" in request.POST:
            preview_id = UUID(request.POST.get("mark", ""))
            bulk = bulks.push(project, request.user, preview_id, metadata, chosen.trace_ids)
            return redirect("bulk:bulk-page", project=project.slug, bulk=bulk.pk)
    except (InvalidPatchError, IdempotencyKeyReusedError) as error:
        return _render_form(request, project, chosen, error=str(error), status=422)
    except BulkUndoneError:
        error_text = "Not pushed. This push was undone. Preview it again to push it."
        return _render_form(request, project, chosen, error=error_text, status=422)
    except ValueError:
        error_text = "Not pushed. The preview was incomplete. Preview it again."
        return _render_form(request, project, chosen, error=error_text, status=422)
    warnings = [finding.sentence for finding in findings] + warn_high_cardinality(project, [metadata])
    values = {key: canonical_json.dumps(value) for key, value in metadata.items()}
    return _render_form(request, project, chosen, values=values, warnings=warnings, preview_id=uuid4())


def _render_form(
    request: Request, project: Project, chosen: selection.Selection, *, status: int = 200, **extra_context: object
) -> HttpResponse:
    context = {"project": project, "section": "traces", "chosen": chosen, "typed": request.POST.get("metadata", "")}
    return render_page(request, "delivery/push.html", {**context, **extra_context}, status=status)
