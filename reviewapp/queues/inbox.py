"""People's inboxes: what others did that concerns them. `Membership.inbox_count` counts the unread entries."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import F, QuerySet

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.lib import clock
from reviewapp.queues.models import QueueItem
from reviewapp.queues.models.discussion import Comment, Notification

PAGE_SIZE = 50


def notify(
    project: Project,
    recipients: Collection[User],
    kind: str,
    *,
    item: QueueItem | None = None,
    comment: Comment | None = None,
    text: str = "",
    by: str = "",
) -> None:
    """Put an entry into the inbox of each of these people, once. Call it in a transaction."""
    by_pk = {user.pk: user for user in recipients}
    # In one order, so that concurrent writers cannot deadlock.
    members = Membership.objects.filter(project=project, user__in=list(by_pk)).order_by("pk")
    pks = [membership.user_id for membership in members.select_for_update(no_key=True)]
    Notification.objects.bulk_create(
        Notification(project=project, user=by_pk[pk], kind=kind, item=item, comment=comment, text=text, by=by)
        for pk in pks
    )
    Membership.objects.filter(project=project, user__in=pks).update(inbox_count=F("inbox_count") + 1)


def list_entries(project: Project, user: User, *, before: int | None = None) -> list[Notification]:
    """The person's entries, newest first, a page and one more; `before` is the primary key of the last one shown."""
    entries = Notification.objects.filter(project=project, user=user)
    if before is not None:
        entries = entries.filter(pk__lt=before)
    entries = entries.select_related("item__queue", "comment__author").order_by("-pk")
    return list(entries[: PAGE_SIZE + 1])


def mark_read(project: Project, user: User, pks: Collection[int] | None = None) -> None:
    """Mark these entries of a person read; all without `pks`."""
    unread = Notification.objects.filter(project=project, user=user, read_at=None)
    with transaction.atomic():
        memberships = Membership.objects.filter(project=project, user=user)
        # Lock the count, so that no entry that is added meanwhile is missed.
        memberships.select_for_update(no_key=True).first()
        (unread if pks is None else unread.filter(pk__in=pks)).update(read_at=clock.now())
        memberships.update(inbox_count=unread.count())


def select_leads(project: Project) -> QuerySet[User]:
    """The project's active leads and admins."""
    leads = Membership.objects.filter(project=project).exclude(role=Role.REVIEWER)
    return User.objects.filter(pk__in=leads.values("user"), is_active=True)
