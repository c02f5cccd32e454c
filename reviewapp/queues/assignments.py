"""An item's assignments, and what opens and closes them. `QueueItem.assigned_count` counts the open ones."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from reviewapp.accounts.models import Membership, Role, User
from reviewapp.audit.recording import record
from reviewapp.lib.batches import batched
from reviewapp.queues.models import Queue, QueueItem, WhoReviews
from reviewapp.queues.models.assignment import Assignment, QueueReviewer


def select_open(item: QueueItem) -> QuerySet[Assignment]:
    """The item's open assignments, in the order they were made."""
    return Assignment.objects.filter(item=item, done_at=None).order_by("pk")


def get_own(item: QueueItem, user: User) -> Assignment | None:
    """This person's open assignment of the item; without a query if it is assigned to nobody."""
    if not item.assigned_count:
        return None
    return select_open(item).filter(user=user).select_related("by").first()


def is_reserved(item: QueueItem, user: User) -> bool:
    """Whether only others are to review the item: those it is assigned to, or those named for its queue.

    Leads may review every item.
    """
    if not item.assigned_count and item.queue.who_reviews == WhoReviews.ANYONE:
        return False
    if get_own(item, user) is not None or _is_lead(item.queue, user):
        return False
    required = item.reviews_required or item.queue.reviewers_per_item
    if item.assigned_count and item.assigned_count + item.review_count >= required:
        return True
    return not is_named(item.queue, user)


def is_named(queue: Queue, user: User) -> bool:
    """Whether this person gets items of the queue that are assigned to nobody."""
    if queue.who_reviews == WhoReviews.ANYONE:
        return True
    return QueueReviewer.objects.filter(queue=queue, user=user).exists()


def close(item: QueueItem, user: User, at: datetime) -> Assignment | None:
    """Close this person's open assignment, done at this time, and return it. Call it in a transaction."""
    own = select_open(item).filter(user=user).select_related("by").first()
    if own is None or not select_open(item).filter(pk=own.pk).update(done_at=at):
        return None
    QueueItem.objects.filter(pk=item.pk).update(assigned_count=F("assigned_count") - 1)
    return own


def reopen(item: QueueItem, user: User, at: datetime) -> bool:
    """Open again what a review of this time closed; False if it closed none, or there is a newer one."""
    if select_open(item).filter(user=user).exists():
        return False
    if not Assignment.objects.filter(item=item, user=user, done_at=at).update(done_at=None):
        return False
    QueueItem.objects.filter(pk=item.pk).update(assigned_count=F("assigned_count") + 1)
    return True


def has_sent_back(item: QueueItem) -> bool:
    """Whether somebody has yet to review the item again."""
    return select_open(item).filter(kind=Assignment.Kind.SENT_BACK).exists()


def withdraw(item: QueueItem, actor: User, *, user: User | None = None) -> None:
    """Delete the item's open assignments, or only this person's. Call it in a transaction."""
    rows = select_open(item) if user is None else select_open(item).filter(user=user)
    names = sorted(rows.values_list("user__username", flat=True))
    if not names:
        return
    rows.delete()
    count_open([item.pk])
    record(item.queue.project, actor, "withdrew assignments", f"item:{item.pk}", people=", ".join(names))


def count_open(pks: Collection[int]) -> None:
    """Store how many open assignments each of these items has."""
    rows = Assignment.objects.filter(item=OuterRef("pk"), done_at=None).order_by().values("item")
    counts = Coalesce(Subquery(rows.annotate(count=Count("pk")).values("count")), 0)
    for batch in batched(list(pks)):
        QueueItem.objects.filter(pk__in=batch).update(assigned_count=counts)


def select_absent() -> QuerySet[Assignment]:
    """The open assignments of people who have been deactivated or have left the project."""
    members = Membership.objects.filter(project=OuterRef("queue__project"), user=OuterRef("user"), is_active=True)
    rows = Assignment.objects.filter(done_at=None).annotate(role=Subquery(members.values("role")[:1]))
    return rows.filter(Q(role=None) | Q(user__is_active=False))


def _is_lead(queue: Queue, user: User) -> bool:
    memberships = Membership.objects.filter(project=queue.project_id, user=user)
    return memberships.exclude(role=Role.REVIEWER).exists()
