"""Change items of a queue's list: requeue them, set their priority or their due date."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_POST

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.queues.access import get_queue_or_404, read_item_ids
from reviewapp.queues.forms import ItemChangeForm
from reviewapp.queues.models import ItemState, QueueItem
from reviewapp.queues.requeueing import change_items, requeue_all
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_POST
def items_change(request: Request, project: Project, queue: str) -> HttpResponse:
    """Change the items that `item` names, or with `all` every item in the list's `state`."""
    target = get_queue_or_404(project, queue)
    form, state = ItemChangeForm(request.POST), request.POST.get("state", "")
    items, unknown = QueueItem.objects.filter(queue=target), ""
    if "all" not in request.POST:
        pks, unknown = read_item_ids(target, request.POST.getlist("item"))
        items = items.filter(pk__in=pks)
    elif state in ItemState.values:
        items = items.filter(state=state)
    if not form.is_valid():
        errors = " ".join(str(error) for errors in form.errors.values() for error in errors)
        messages.error(request, f"Nothing was changed. {errors}")
    else:
        action = form.cleaned_data["action"]
        if action == "requeue":
            count, has_more = requeue_all(target, request.user, items)
        else:
            count, has_more = change_items(target, request.user, items, action, form.cleaned_data[action])
        sentence = f"{count:,} item{pluralize(count)} changed."
        messages.success(request, f"{sentence} There are more: press the button again." if has_more else sentence)
    if unknown:
        messages.warning(request, unknown)
    return redirect("queues:queue-board", project=project.slug, queue=queue)
