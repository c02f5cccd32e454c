"""Every table, floor by floor: the data dictionary."""

from reviewapp.accounts.models import FailedSignIn, Membership, Project, User
from reviewapp.accounts.sign_in_models import Session, SignIn
from reviewapp.audit.models import AuditEvent, AuditHead, RefusedAccess
from reviewapp.delivery.models import Attempt, Breaker, Bulk, Heartbeat, IdempotentPatch, Patch, RestoreMarker
from reviewapp.keys.models import AccessToken, LaminarKey
from reviewapp.onboarding.models import SetupLink
from reviewapp.people.models import AccountLink
from reviewapp.quality.models import Settlement
from reviewapp.queues.models import IdempotentAdd, Queue, QueueItem, Removal, Rubric, Rule, Skip
from reviewapp.queues.models.assignment import Assignment, QueueReviewer
from reviewapp.queues.models.discussion import Comment, Notification
from reviewapp.queues.models.upload import Upload, UploadChunk, UploadFault
from reviewapp.reviews.count_models import ReviewCount
from reviewapp.reviews.models import Draft, Review, SessionPatch
from reviewapp.traces.filter_models import Excerpt, MetadataKey, Posting, SavedView, Tally, Term, TraceTag
from reviewapp.traces.models import (
    MetadataChange,
    PreparedTranscript,
    Span,
    SpanMetadata,
    Trace,
    UnreadablePart,
    Watermark,
)
from reviewapp.webhooks.models import Webhook, WebhookAttempt, WebhookMessage

__all__ = [
    "AccessToken",
    "AccountLink",
    "Assignment",
    "Attempt",
    "AuditEvent",
    "AuditHead",
    "Breaker",
    "Bulk",
    "Comment",
    "Draft",
    "Excerpt",
    "FailedSignIn",
    "Heartbeat",
    "IdempotentAdd",
    "IdempotentPatch",
    "LaminarKey",
    "Membership",
    "MetadataChange",
    "MetadataKey",
    "Notification",
    "Patch",
    "Posting",
    "PreparedTranscript",
    "Project",
    "Queue",
    "QueueItem",
    "QueueReviewer",
    "RefusedAccess",
    "Removal",
    "RestoreMarker",
    "Review",
    "ReviewCount",
    "Rubric",
    "Rule",
    "SavedView",
    "Session",
    "SessionPatch",
    "Settlement",
    "SetupLink",
    "SignIn",
    "Skip",
    "Span",
    "SpanMetadata",
    "Tally",
    "Term",
    "Trace",
    "TraceTag",
    "UnreadablePart",
    "Upload",
    "UploadChunk",
    "UploadFault",
    "User",
    "Watermark",
    "Webhook",
    "WebhookAttempt",
    "WebhookMessage",
]
