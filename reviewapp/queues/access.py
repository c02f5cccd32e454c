"""Get a project's queue, rule or item for a view. One that does not exist or belongs to another project is a 404."""

from collections.abc import Sequence

from django.http import Http404

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.lib.unknown_ids import describe_unknown, split_known
from reviewapp.queues import queries
from reviewapp.queues.models import Queue, QueueItem, Rule


def get_queue_or_404(project: Project, slug: str) -> Queue:
    """Return the project's queue with this slug. Raises Http404."""
    queue = sql.fetch_first(Queue, queries.QUEUE_BY_SLUG, project.pk, slug)
    if queue is None:
        raise Http404("There is no such queue in this project.")
    queue.project = project
    return queue


def get_rule_or_404(project: Project, slug: str, pk: int) -> Rule:
    """Return the rule of the queue with this slug. Raises Http404."""
    queue = get_queue_or_404(project, slug)
    rule = Rule.objects.filter(queue=queue, pk=pk).first()
    if rule is None:
        raise Http404("There is no such rule in this queue.")
    rule.queue = queue
    return rule


def get_item_or_404(project: Project, pk: int) -> QueueItem:
    """The project's item with its queue loaded. Raises Http404."""
    item = sql.fetch_first(QueueItem, queries.ITEM_OF_PROJECT, project.pk, pk)
    if item is None:
        raise Http404("There is no such item in this project.")
    item.queue = sql.fetch_objects(Queue, queries.QUEUE_BY_PK, item.queue_id)[0]
    item.queue.project = project
    return item


def get_queue_item_or_404(project: Project, slug: str, pk: int) -> QueueItem:
    """Return the item of the queue with this slug. Raises Http404."""
    queue = get_queue_or_404(project, slug)
    item = QueueItem.objects.filter(queue=queue, pk=pk).first()
    if item is None:
        raise Http404("There is no such item in this queue.")
    item.queue = queue
    return item


def read_item_ids(queue: Queue, texts: Sequence[str]) -> tuple[list[int], str]:
    """The primary keys among these form values that are the queue's, and a sentence that names the others."""
    known, unknown = split_known(QueueItem.objects.filter(queue=queue), texts)
    return known, describe_unknown(unknown, "this queue")
