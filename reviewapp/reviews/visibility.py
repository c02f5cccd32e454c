"""Which reviews and comments a person may see.

An answer that somebody else has yet to give must not be known to them.
"""

from django.db.models import Q, QuerySet

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.queues import assignments
from reviewapp.queues.models import ItemState, QueueItem
from reviewapp.queues.models.discussion import Comment
from reviewapp.reviews.models import Review


def select_visible(project: Project, viewer: User | None) -> QuerySet[Review]:
    """The project's reviews that this person may see: all for leads.

    A reviewer sees their own and those of completed items. An item that waits for a second opinion must be answered
    without knowing the first one.
    """
    reviews = Review.objects.filter(item__queue__project=project)
    if viewer is not None and _is_lead(project, viewer):
        return reviews
    return reviews.filter(Q(item__state=ItemState.COMPLETED) | Q(reviewer=viewer))


def select_visible_comments(item: QueueItem, viewer: User) -> QuerySet[Comment]:
    """The comments on an item that this person may see: all for leads, none for who is not one of its reviewers.

    A comment may repeat an answer. While a reviewer has yet to answer without knowing the others' answers, they see
    their own comments only.
    """
    comments = Comment.objects.filter(item=item)
    if _is_lead(item.queue.project, viewer):
        return comments
    if not can_comment(item, viewer):
        return comments.none()
    is_blind = item.has_several_reviewers and item.queue.is_blind and item.state != ItemState.COMPLETED
    if is_blind and not _has_answered(item, viewer):
        return comments.filter(author=viewer)
    return comments


def can_comment(item: QueueItem, user: User) -> bool:
    """Whether this person is a lead, or one of the item's reviewers: has reviewed, is assigned, or has it open."""
    if item.is_claimed and item.claimed_by_id == user.pk:
        return True
    if _has_answered(item, user) or assignments.get_own(item, user) is not None:
        return True
    return _is_lead(item.queue.project, user)


def _has_answered(item: QueueItem, user: User) -> bool:
    return Review.objects.filter(item=item, reviewer=user, is_latest=True).exists()


def _is_lead(project: Project, user: User) -> bool:
    leads = Membership.objects.filter(project=project, user=user, is_active=True).exclude(role=Role.REVIEWER)
    return leads.exists()
