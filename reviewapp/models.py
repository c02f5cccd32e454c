"""Every table, floor by floor: the data dictionary."""

from reviewapp.accounts.models import FailedSignIn, Membership, Project, User
from reviewapp.audit.models import AuditEvent, AuditHead
from reviewapp.delivery.models import Attempt, Breaker, Bulk, Heartbeat, Patch, Relay, Tide
from reviewapp.keys.models import AccessToken, LaminarKey
from reviewapp.queues.models import Pass, Queue, QueueItem, Removal, Rubric, Rule
from reviewapp.reviews.models import Draft, Review
from reviewapp.traces.models import Change, Key, Posting, Prepared, PullMark, Span, Tally, Term, Trace, View

__all__ = [
    "AccessToken",
    "Attempt",
    "AuditEvent",
    "AuditHead",
    "Breaker",
    "Bulk",
    "Change",
    "Draft",
    "FailedSignIn",
    "Heartbeat",
    "Key",
    "LaminarKey",
    "Membership",
    "Pass",
    "Patch",
    "Posting",
    "Prepared",
    "Project",
    "PullMark",
    "Queue",
    "QueueItem",
    "Relay",
    "Removal",
    "Review",
    "Rubric",
    "Rule",
    "Span",
    "Tally",
    "Term",
    "Tide",
    "Trace",
    "User",
    "View",
]
