"""Put skipped items back, one or all of them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import skipping
from reviewapp.queues.access import get_queue_or_404
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_POST
def items_put_back(request: Request, project: Project, queue: str) -> HttpResponse:
    """Put back the items that `item` names, or all with `all`; what is not skipped any more does not change."""
    target = get_queue_or_404(project, queue)
    pks = [parse_int(text, max_value=2**63 - 1) or 0 for text in request.POST.getlist("item")]
    count = skipping.put_back(target, request.user, None if "all" in request.POST else pks)
    if count:
        messages.success(request, f"{count:,} item{pluralize(count)} put back. Reviewers get them again.")
    else:
        messages.info(request, "No items were put back: none of them is skipped.")
    return redirect("queues:queue-board", project=project.slug, queue=queue)
