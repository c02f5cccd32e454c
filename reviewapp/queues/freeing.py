"""Free what people left behind who were deactivated or have left the project, and tell the leads."""

from collections import Counter

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.template.defaultfilters import pluralize

from reviewapp.accounts.models import Membership, User
from reviewapp.audit.recording import record
from reviewapp.queues import assignments, inbox
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.models.assignment import Assignment
from reviewapp.queues.models.discussion import Notification

# Of one run: the next one frees the others.
MAX_ROWS = 2_000


def free_absent() -> int:
    """Delete the open assignments of absent people and end their claims. Returns the number of both."""
    open_rows = list(assignments.select_absent().values_list("pk", "item", "queue", "user")[:MAX_ROWS])
    claims = list(_select_absent_claims().values_list("pk", "queue", "claimed_by")[:MAX_ROWS])
    assignment_counts = Counter((queue, user) for _, _, queue, user in open_rows)
    claim_counts = Counter((queue, user) for _, queue, user in claims)
    for queue_pk, user_pk in sorted(assignment_counts | claim_counts):
        with transaction.atomic():
            # As `assigning.apply`: nobody assigns meanwhile.
            queue = Queue.objects.select_for_update(no_key=True).select_related("project").get(pk=queue_pk)
            user = User.objects.get(pk=user_pk)
            own = [(pk, item) for pk, item, *pair in open_rows if pair == [queue_pk, user_pk]]
            Assignment.objects.filter(pk__in=[pk for pk, _ in own], done_at=None).delete()
            assignments.count_open({item for _, item in own})
            claimed = [pk for pk, *pair in claims if pair == [queue_pk, user_pk]]
            QueueItem.objects.filter(pk__in=claimed, claimed_by=user).update(claimed_by=None, claimed_until=None)
            _report(queue, user, len(own), len(claimed))
    return len(open_rows) + len(claims)


def _select_absent_claims() -> QuerySet[QueueItem]:
    members = Membership.objects.filter(project=OuterRef("queue__project"), user=OuterRef("claimed_by"), is_active=True)
    claimed = QueueItem.objects.filter(state=ItemState.PENDING, claimed_by__isnull=False)
    claimed = claimed.annotate(claimer_role=Subquery(members.values("role")[:1]))
    return claimed.filter(Q(claimer_role=None) | Q(claimed_by__is_active=False))


def _report(queue: Queue, user: User, assignment_count: int, claim_count: int) -> None:
    """Tell the leads, and record it."""
    reason = "left the project" if user.is_active else "was deactivated"
    parts = [
        f"{count:,} {noun}{pluralize(count)}"
        for count, noun in ((assignment_count, "assignment"), (claim_count, "claim"))
        if count
    ]
    text = f"{user.username} {reason}. {' and '.join(parts)} in “{queue.name}” ended; others get these items now."
    inbox.notify(queue.project, list(inbox.select_leads(queue.project)), Notification.Kind.FREED, text=text)
    record(
        queue.project, "worker", "freed items", f"queue:{queue.slug}",
        person=user.username, assignments=assignment_count, claims=claim_count,
    )  # fmt: skip
