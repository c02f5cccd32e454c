"""Which reviews a person may see. An answer that somebody else has yet to give must not be known to them."""

from django.db.models import Q, QuerySet

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.queues.models import ItemState
from reviewapp.reviews.models import Review


def select_visible(project: Project, viewer: User | None) -> QuerySet[Review]:
    """The project's reviews that this person may see: all for leads.

    A reviewer sees their own and those of completed items. An item that waits for a second opinion must be answered
    without knowing the first one.
    """
    reviews = Review.objects.filter(item__queue__project=project)
    leads = Membership.objects.filter(project=project, user=viewer, is_active=True).exclude(role=Role.REVIEWER)
    if viewer is not None and leads.exists():
        return reviews
    return reviews.filter(Q(item__state=ItemState.COMPLETED) | Q(reviewer=viewer))
