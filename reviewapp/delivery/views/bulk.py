"""Where a lead pushes one patch to many traces: what it would do, then how far it has come, and its undo."""

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.delivery import bulk as bulks
from reviewapp.delivery import patch_input
from reviewapp.delivery.intake import BulkUndoneError, IdempotencyKeyReusedError
from reviewapp.delivery.lint import lint, warn_high_cardinality
from reviewapp.delivery.models import Bulk
from reviewapp.delivery.patch_input import InvalidPatchError
from reviewapp.lib import canonical_json
from reviewapp.traces.filters import selection
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def traces_push(request: Request, project: Project) -> HttpResponse:
    """What to push, then what that would do, then it is done: the traces are those shown at first all along."""
    if request.method == "POST":
        chosen = selection.select_from_form(project, request.POST.get("traces", ""), bulks.MOST)
    else:
        try:
            chosen = selection.select_from_query(project, request.GET, bulks.MOST)
        except FilterError as error:
            messages.error(request, str(error))
            return redirect("traces:trace-list", project=project.slug)
    if not chosen.pks:
        messages.info(request, "No trace was chosen. Tick some rows, or all of the view.")
        return redirect("traces:trace-list", project=project.slug)
    if request.method == "POST":
        return _previewed(request, project, chosen)
    return _shown(request, project, chosen)


@access.member(Role.LEAD)
@require_safe
def bulk_page(request: Request, project: Project, bulk: int) -> HttpResponse:
    found = bulk_of(project, bulk)
    context = {
        "project": project, "section": "deliveries", "bulk": found, "counts": bulks.by_state(found),
        "values": canonical_json.raw_members(found.metadata), "can_be_undone": bulks.can_be_undone(found),
    }  # fmt: skip
    return render_page(request, "delivery/bulk.html", context, fragment="progress")


@access.member(Role.LEAD)
@require_POST
def bulk_undo(request: Request, project: Project, bulk: int) -> HttpResponse:
    found = bulk_of(project, bulk)
    count = bulks.undo(found, request.user)
    if count:
        messages.success(request, f"{count:,} taken back before they were sent.")
    if left := bulks.count_not_undone(found):
        messages.info(
            request, f"{left:,} not taken back: on their way before, or gone with a later change of the trace."
        )
    elif not count:
        messages.info(request, "Nothing was taken back: all of it was undone before.")
    return redirect("bulk:bulk-page", project=project.slug, bulk=bulk)


def bulk_of(project: Project, number: int) -> Bulk:
    """The project's bulk with this number. Raises Http404."""
    found = Bulk.objects.filter(project=project, pk=number).first()
    if found is None:
        raise Http404("There is no such push in this project.")
    found.project = project
    return found


def _previewed(request: Request, project: Project, chosen: selection.Selection) -> HttpResponse:
    """The preview of what was typed, or after that was seen, the push."""
    try:
        patch = patch_input.parse_pairs(
            line.strip() for line in request.POST.get("metadata", "").splitlines() if line.strip()
        )
        findings = lint(patch)
        refusals = [finding.sentence for finding in findings if finding.severity == "refusal"]
        if refusals:
            raise InvalidPatchError(" ".join(refusals))
        if "confirm" in request.POST:
            mark = UUID(request.POST.get("mark", ""))
            bulk = bulks.push(project, request.user, mark, patch, chosen.trace_ids)
            return redirect("bulk:bulk-page", project=project.slug, bulk=bulk.pk)
    except (InvalidPatchError, IdempotencyKeyReusedError) as error:
        return _shown(request, project, chosen, error=str(error), status=422)
    except BulkUndoneError:
        return _shown(request, project, chosen, error="This push was undone. Preview it again to push it.", status=422)
    except ValueError:
        return _shown(request, project, chosen, error="The preview was cut short. Preview it again.", status=422)
    warnings = [finding.sentence for finding in findings] + warn_high_cardinality(project, [patch])
    values = {key: canonical_json.dumps(value) for key, value in patch.items()}
    return _shown(request, project, chosen, values=values, warnings=warnings, mark=uuid4())


def _shown(
    request: Request, project: Project, chosen: selection.Selection, *, status: int = 200, **more: object
) -> HttpResponse:
    context = {"project": project, "section": "traces", "chosen": chosen, "typed": request.POST.get("metadata", "")}
    return render_page(request, "delivery/push.html", {**context, **more}, status=status)
