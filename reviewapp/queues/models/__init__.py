"""Queues of traces to review, with their items, rubrics and rules."""

from reviewapp.queues.models.idempotent_add import IdempotentAdd
from reviewapp.queues.models.item import (
    CLAIM_DURATION,
    ItemQuerySet,
    ItemState,
    QueueItem,
    Removal,
    Skip,
    Source,
    Stratum,
)
from reviewapp.queues.models.queue import (
    MAX_REVIEWERS,
    PREFIX,
    SHARE,
    PushPolicy,
    PushTarget,
    Queue,
    QueueQuerySet,
    Rubric,
    Unit,
    WhoReviews,
)
from reviewapp.queues.models.rule import SALT, PassedOver, Rule, RuleQuerySet, SampleDay, new_salt

__all__ = [
    "CLAIM_DURATION",
    "MAX_REVIEWERS",
    "PREFIX",
    "SALT",
    "SHARE",
    "IdempotentAdd",
    "ItemQuerySet",
    "ItemState",
    "PassedOver",
    "PushPolicy",
    "PushTarget",
    "Queue",
    "QueueItem",
    "QueueQuerySet",
    "Removal",
    "Rubric",
    "Rule",
    "RuleQuerySet",
    "SampleDay",
    "Skip",
    "Source",
    "Stratum",
    "Unit",
    "WhoReviews",
    "new_salt",
]
