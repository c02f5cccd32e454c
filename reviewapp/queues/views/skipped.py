"""Put skipped items back, one or all of them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.queues import skipping
from reviewapp.queues.access import get_queue_or_404, read_item_ids
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_POST
def items_put_back(request: Request, project: Project, queue: str) -> HttpResponse:
    """Put back the items that `item` names, or all with `all`; what is not skipped any more does not change."""
    target = get_queue_or_404(project, queue)
    pks, unknown = (None, "") if "all" in request.POST else read_item_ids(target, request.POST.getlist("item"))
    count = skipping.put_back(target, request.user, pks)
    if count:
        messages.success(request, f"{count:,} item{pluralize(count)} put back. Reviewers get them again.")
    else:
        messages.info(request, "No items were put back: none of them is skipped.")
    if unknown:
        messages.warning(request, unknown)
    return redirect("queues:queue-board", project=project.slug, queue=queue)
