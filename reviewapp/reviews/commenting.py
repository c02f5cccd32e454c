"""Comment on an item, and tell the people that a comment mentions."""

import re

from django.db import transaction
from django.db.models import F

from reviewapp.accounts.models import User
from reviewapp.audit.recording import record
from reviewapp.queues import inbox
from reviewapp.queues.models import QueueItem
from reviewapp.queues.models.discussion import Comment, Notification

# People that one comment tells.
MAX_MENTIONS = 20
_MENTION = re.compile(r"(?<![\w.@+-])@([\w.@+-]{1,80})")


class InvalidCommentError(ValueError):
    """Nothing was saved; the message is a sentence for the user."""


def add_comment(item: QueueItem, author: User, text: str) -> tuple[Comment, list[str]]:
    """Save a comment and put it into the inbox of those it mentions (`@name`).

    Returns it with the names that are nobody's in the project. Raises InvalidCommentError.
    """
    text = text.strip()
    if not text:
        raise InvalidCommentError("Not saved. Write something.")
    if len(text) > Comment.MAX_LENGTH:
        limit = f"{Comment.MAX_LENGTH:,}"
        raise InvalidCommentError(
            f"Not saved. The comment has {len(text):,} characters; the limit is {limit}. Shorten it."
        )
    if "\0" in text:
        raise InvalidCommentError("Not saved. The comment contains a character that cannot be stored (NUL). Remove it.")
    project = item.queue.project
    mentioned, unknown = _find_mentioned(item, text)
    with transaction.atomic():
        QueueItem.objects.filter(pk=item.pk).update(comment_count=F("comment_count") + 1)
        comment = Comment.objects.create(item=item, author=author, text=text)
        others = [user for user in mentioned if user != author]
        inbox.notify(project, others, Notification.Kind.MENTION, item=item, comment=comment, by=author.username)
        record(project, author, "commented", f"item:{item.pk}", mentioned=", ".join(user.username for user in others))
    return comment, unknown


def _find_mentioned(item: QueueItem, text: str) -> tuple[list[User], list[str]]:
    """The active members that a text mentions, and the names of nobody; punctuation may follow a name."""
    words = list(dict.fromkeys(_MENTION.findall(text)))[:MAX_MENTIONS]
    names = {word: [word, word.rstrip(".-+@")] for word in words}
    members = User.objects.filter(memberships__project=item.queue.project, is_active=True)
    listed = members.filter(username__in=[name for spellings in names.values() for name in spellings])
    by_name = {user.username: user for user in listed}
    matches = {word: next((by_name[name] for name in names[word] if name in by_name), None) for word in words}
    users = {user.pk: user for user in matches.values() if user is not None}
    return list(users.values()), [word for word, user in matches.items() if user is None]
