"""Send reviews back to be done again, and accept them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.audit.recording import record
from reviewapp.lib import clock
from reviewapp.queues import assignments, inbox
from reviewapp.queues.models import ItemState, QueueItem, Skip
from reviewapp.queues.models.assignment import Assignment
from reviewapp.queues.models.discussion import Notification
from reviewapp.reviews import announcing
from reviewapp.reviews.models import Review

# Reviews of one change.
MAX_REVIEWS = 500

IS_OUTDATED = "a newer revision exists"
IS_SKIPPED = "their item is skipped"
IS_SENT_BACK = "already sent back"
IS_ABSENT = "their reviewer has left the project"
IS_ACCEPTED = "already accepted"


@dataclass(slots=True)
class Outcome:
    """Which reviews a change concerns, and which it refuses, by reason."""

    changed: list[Review] = field(default_factory=list)
    refused: dict[str, list[Review]] = field(default_factory=lambda: defaultdict(list))


def plan_sending_back(project: Project, reviews: Sequence[Review], to: User | None = None) -> Outcome:
    """What `send_back` would do. The reviews' items must be loaded."""
    outcome = Outcome()
    members = set(
        Membership.objects.filter(project=project, is_active=True, user__is_active=True).values_list("user", flat=True)
    )
    open_rows = Assignment.objects.filter(
        item__in=[review.item_id for review in reviews], kind=Assignment.Kind.SENT_BACK, done_at=None
    )
    sent_back = set(open_rows.values_list("item", "user"))
    for review in reviews:
        user_pk = review.reviewer_id if to is None else to.pk
        if not review.is_latest:
            refusal = IS_OUTDATED
        elif review.item.state == ItemState.SKIPPED:
            refusal = IS_SKIPPED
        elif (review.item_id, user_pk) in sent_back:
            refusal = IS_SENT_BACK
        else:
            refusal = "" if user_pk in members else IS_ABSENT
        if refusal:
            outcome.refused[refusal].append(review)
        else:
            sent_back.add((review.item_id, user_pk))
            outcome.changed.append(review)
    return outcome


def send_back(
    project: Project, reviews: Sequence[Review], actor: User, comment: str, *, to: User | None = None
) -> Outcome:
    """Ask for each review again: of its reviewer, or of another person. It stays the item's review until then.

    The items are pending again for these people, and come first.
    """
    with transaction.atomic():
        # Lock in one order, so that concurrent writers cannot deadlock.
        pks = sorted({review.item_id for review in reviews})
        items = {item.pk: item for item in QueueItem.objects.select_for_update().filter(pk__in=pks).order_by("pk")}
        latest = set(Review.objects.filter(item__in=pks, is_latest=True).values_list("pk", flat=True))
        for review in reviews:
            review.is_latest = review.pk in latest
            review.item.state = items[review.item_id].state if review.item_id in items else ItemState.SKIPPED
        outcome = plan_sending_back(project, reviews, to)
        for review in outcome.changed:
            _send_back(project, review, actor, comment, to or review.reviewer)
    return outcome


def plan_accepting(reviews: Sequence[Review]) -> Outcome:
    """What `accept` would do."""
    outcome = Outcome()
    for review in reviews:
        refusal = IS_OUTDATED if not review.is_latest else IS_ACCEPTED if review.accepted_at else ""
        (outcome.refused[refusal] if refusal else outcome.changed).append(review)
    return outcome


def accept(project: Project, reviews: Sequence[Review], actor: User) -> Outcome:
    """Mark the reviews accepted."""
    outcome = Outcome()
    with transaction.atomic():
        for review in reviews:
            current = Review.objects.filter(pk=review.pk, is_latest=True, accepted_at=None)
            if current.update(accepted_by=actor, accepted_at=clock.now()):
                outcome.changed.append(review)
            else:
                outcome.refused[IS_ACCEPTED if review.accepted_at else IS_OUTDATED].append(review)
        for review in outcome.changed:
            record(project, actor, "accepted review", f"item:{review.item_id}", revision=review.revision)
    return outcome


def close_assignment(review: Review) -> None:
    """Close its reviewer's assignment of the item, and tell who sent it back. Call it in the saving transaction."""
    item, user = review.item, review.reviewer
    assignment = assignments.close(item, user, review.submitted_at)
    if assignment is None or assignment.kind != Assignment.Kind.SENT_BACK:
        return
    leads = inbox.select_leads(item.queue.project)
    recipients = [lead for lead in leads if lead == assignment.by] or list(leads)
    inbox.notify(item.queue.project, recipients, Notification.Kind.FIXED, item=item, by=user.username)


def _send_back(project: Project, review: Review, actor: User, comment: str, user: User) -> None:
    item = review.item
    fields = {"kind": Assignment.Kind.SENT_BACK, "comment": comment, "by": actor, "at": clock.now()}
    if not assignments.select_open(item).filter(user=user).update(**fields):
        Assignment.objects.create(item=item, queue_id=item.queue_id, user=user, **fields)
    assignments.count_open([item.pk])
    QueueItem.objects.filter(pk=item.pk).change(state=ItemState.PENDING, completed_at=None)
    Skip.objects.filter(item=item, user=user).delete()
    Review.objects.filter(pk=review.pk).update(accepted_by=None, accepted_at=None)
    inbox.notify(project, [user], Notification.Kind.SENT_BACK, item=item, text=comment, by=actor.username)
    record(
        project, actor, "sent back review", f"item:{item.pk}",
        revision=review.revision, person=user.username, comment=comment,
    )  # fmt: skip
    announcing.emit_sent_back(item, actor.username, user.username, comment)
