"""Comments on items, and what a person's inbox shows."""

from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock
from reviewapp.queues.models import QueueItem


class Comment(models.Model):
    """A remark on an item, for its reviewers and for leads."""

    MAX_LENGTH = 4_000

    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="comments", db_index=False)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=MAX_LENGTH)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["item", "id"], name="comment_of_item")]


class Notification(models.Model):
    """An entry in a person's inbox. `Membership.inbox_count` counts the unread ones: see inbox.py."""

    class Kind(models.TextChoices):
        MENTION = "mention", "mentioned you"
        SENT_BACK = "sent-back", "sent an item back to you"
        FIXED = "fixed", "reviewed an item again"
        FREED = "freed", "left work behind"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, null=True, related_name="+")
    # Of a mention. Its text is read from here, so that it is shown only to whom the comment is.
    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, null=True, related_name="+")
    # What else there is to say, as a sentence.
    text = models.TextField(blank=True)
    by = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField(default=clock.now)
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "project", "-id"], name="notification_of_person"),
            models.Index(fields=["user", "project"], name="notification_unread", condition=Q(read_at=None)),
        ]
