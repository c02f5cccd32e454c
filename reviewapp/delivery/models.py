"""The outbox: patches to push to Laminar, the state of each delivery, and every attempt."""

import math
import uuid
from collections.abc import Collection, Mapping
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock

P = TypeVar("P", dict[str, Any], list[Any])


class State(models.TextChoices):
    WAITING = "waiting", "waiting"
    SENDING = "sending", "sending"
    ACCEPTED = "accepted", "accepted"
    CONFIRMED = "confirmed", "confirmed"
    PARKED = "parked", "parked"
    SUPERSEDED = "superseded", "superseded"


class Reason(models.TextChoices):
    """Why a patch is parked and needs a person."""

    REFUSED = "refused", "Laminar refused it"
    TRACE_NOT_FOUND = "trace not found", "Laminar does not know the trace"
    GAVE_UP = "gave up", "Laminar could not be reached for too long"
    UNCONFIRMED = "unconfirmed", "Laminar accepted it, but the values never appeared"
    UNREADABLE = "unreadable", "The stored values cannot be read"


class PatchQuerySet(models.QuerySet["Patch"]):
    def unfinished(self) -> Self:
        """Patches whose delivery has not ended."""
        return self.filter(state__in=[State.WAITING, State.SENDING, State.ACCEPTED])

    def by_state(self) -> dict[str, int]:
        """Count the patches in each state, in the order of a delivery."""
        counts = dict(self.order_by().values_list("state").annotate(models.Count("pk")))
        return {state.value: counts.get(state.value, 0) for state in State}


class Patch(models.Model):
    """One outbox row: the metadata that one push merges into one trace.

    waiting -> sending -> accepted -> confirmed. Back to waiting after a temporary failure; parked when a person has to
    act; superseded when a newer patch of the same trace carries its keys.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="patches", db_index=False)
    trace_id = models.UUIDField()
    metadata = models.TextField()
    # Names to add to the trace's top span along with the metadata, as a JSON list.
    tags = models.TextField(default="[]", db_default="[]")
    # Where the patch came from, for display: `review of ana`, `token:ci`.
    source = models.CharField(max_length=160)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    superseded_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="supersedes")
    # Keys it only carries for older patches, as a JSON list; null if an older release put it and did not record them.
    carried = models.TextField(null=True)
    created_at = models.DateTimeField()
    # When waiting: when to push. When accepted: when to read back.
    due_at = models.DateTimeField()
    # Identifies the worker that is sending the row. It grows with each lease, so a worker that wakes up late has an
    # outdated number and can write nothing.
    lease = models.PositiveBigIntegerField(default=0, db_default=0)
    leased_until = models.DateTimeField(null=True)
    # Counts: temporary failures, pushes answered "Trace not found", accepted pushes, read-backs without the values.
    failures = models.PositiveIntegerField(default=0, db_default=0)
    misses = models.PositiveIntegerField(default=0, db_default=0)
    sends = models.PositiveIntegerField(default=0, db_default=0)
    reads = models.PositiveIntegerField(default=0, db_default=0)
    # Leases that ended without a result, so Laminar may have received the values.
    interruptions = models.PositiveIntegerField(default=0, db_default=0)
    # How often our values were pushed again because Laminar had older ones of ours.
    repushes = models.PositiveSmallIntegerField(default=0, db_default=0)
    accepted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True, db_default="")
    last_error = models.CharField(max_length=600, blank=True, db_default="")
    # When confirmed: when to check for drift next (null: no more checks), and how many checks were made.
    watch_due_at = models.DateTimeField(null=True)
    watches = models.PositiveSmallIntegerField(default=0, db_default=0)
    # Laminar's values of our keys that someone else has changed: a JSON object of lists, each with Laminar's value, or
    # empty if the key was removed. If `drifted_at` is null, a person has chosen to keep these values.
    drift = models.TextField(default="{}", db_default="{}")
    drifted_at = models.DateTimeField(null=True)

    # The trace's name, set by lists that load it.
    trace_name = ""
    # When the lease ends by this process's `clock.monotonic`, set by the worker that holds it.
    lease_deadline = math.inf

    objects = PatchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="patch_state_is_known"),
            # Pushes of a trace never run concurrently; the database enforces it.
            models.UniqueConstraint(
                fields=["project", "trace_id"], condition=Q(state=State.SENDING), name="one_push_under_way_per_trace"
            ),
        ]
        indexes = [
            # Partial indexes on unfinished rows: a lease costs the same with a million finished rows.
            # By project first: rows of a blocked project are never scanned.
            models.Index(fields=["project", "due_at", "id"], name="patch_waiting", condition=Q(state=State.WAITING)),
            models.Index(fields=["leased_until"], name="patch_sending", condition=Q(state=State.SENDING)),
            models.Index(fields=["due_at", "id"], name="patch_accepted", condition=Q(state=State.ACCEPTED)),
            models.Index(fields=["watch_due_at"], name="patch_watched", condition=Q(watch_due_at__isnull=False)),
            models.Index(fields=["project", "-id"], name="patch_drifted", condition=Q(drifted_at__isnull=False)),
            models.Index(fields=["project", "trace_id", "-id"], name="patch_by_trace"),
            models.Index(fields=["project", "state", "-id"], name="patch_by_state"),
        ]

    @property
    def is_readable(self) -> bool:
        """Whether the stored values and tags are what was put here; if not, they are never sent."""
        return _parse(self.metadata, dict) is not None and _parse_names(self.tags) is not None

    @property
    def values(self) -> dict[str, Any]:
        """The patch as a JSON object; empty if it cannot be read, so that it sets and carries nothing."""
        return _parse(self.metadata, dict) or {}

    @property
    def raw_values(self) -> dict[str, str]:
        """The JSON text of each value; empty if the patch cannot be read."""
        return canonical_json.raw_members(self.metadata) if _parse(self.metadata, dict) else {}

    @property
    def carried_keys(self) -> set[str]:
        """The keys that older patches set and this one did not, as far as is known."""
        return set(_parse_names(self.carried or "[]") or [])

    @property
    def tag_names(self) -> list[str]:
        """The tags to add to the trace's top span; none if they cannot be read."""
        return _parse_names(self.tags) or []

    @property
    def is_partially_sent(self) -> bool:
        """Whether only tags remain to be sent: Laminar accepted the metadata, or newer patches contain all of it."""
        return self.tags != "[]" and (self.accepted_at is not None or self.metadata == "{}")

    @property
    def has_tags_to_send(self) -> bool:
        """Whether Laminar has not accepted the tags yet. Metadata that is sent again is sent without them."""
        if self.state == State.ACCEPTED or self.reason == Reason.UNCONFIRMED:
            return False
        return self.tags != "[]" and (self.sends == 0 or self.is_partially_sent)

    @property
    def lacks_only_tags(self) -> bool:
        """Whether Laminar accepted the metadata but not the tags yet."""
        return self.is_partially_sent and self.has_tags_to_send

    def can_be_replaced_by(self, metadata: Mapping[str, Any], tags: Collection[str]) -> bool:
        """Whether a new patch may supersede this parked one, whose content may be the reason it is parked.

        Tags that Laminar refused stay with this patch: carried on, they would park every later patch too, and the
        metadata of this one has already been accepted. One that cannot be read stays, because nobody knows its keys.
        """
        if not self.is_readable:
            return False
        return self.values.keys() <= metadata.keys() and (not self.lacks_only_tags or set(self.tag_names) <= set(tags))

    @property
    def tries(self) -> int:
        return self.sends + self.failures + self.misses + self.interruptions

    @property
    def can_be_retried(self) -> bool:
        if self.state == State.PARKED:
            return self.reason != Reason.UNREADABLE
        return self.state == State.WAITING and self.failures + self.misses > 0


def _parse(text: str, kind: type[P]) -> P | None:
    """The value of a JSON text; None if the text cannot be read or its value is of another kind."""
    try:
        value = canonical_json.loads(text)
    except canonical_json.InvalidJSONError:
        return None
    return value if isinstance(value, kind) else None


def _parse_names(text: str) -> list[str] | None:
    names = _parse(text, list)
    return names if names is not None and all(isinstance(name, str) for name in names) else None


class Attempt(models.Model):
    """One attempt to push a patch or to read it back, and its outcome."""

    class Act(models.TextChoices):
        PUSH = "push", "push"
        READ = "read back", "read back"

    patch = models.ForeignKey(Patch, on_delete=models.CASCADE, related_name="attempts")
    act = models.CharField(max_length=10, choices=Act.choices)
    at = models.DateTimeField()
    seconds = models.FloatField()
    status = models.PositiveSmallIntegerField(null=True)
    outcome = models.CharField(max_length=600)
    answer = models.CharField(max_length=500, blank=True)


class Breaker(models.Model):
    """Whether pushes of a project are stopped, by failures in a row or a refused key, or paused after a restore."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="breaker")
    failures = models.PositiveIntegerField(default=0)
    # Nothing is pushed before this time; then one probe at a time, until one is answered.
    open_until = models.DateTimeField(db_column="held_until", null=True)
    # The key that was refused; the breaker closes when another key is in use.
    refused_key = models.UUIDField(null=True)
    reason = models.CharField(max_length=600, blank=True)
    # Set when the database was restored to an earlier state or a person paused delivery: nothing is pushed until
    # someone resumes it.
    paused_at = models.DateTimeField(db_column="restored_at", null=True)
    # Pushes that the project's rate limit still allows, and when that was calculated.
    allowance = models.FloatField(default=0, db_default=0)
    allowance_at = models.DateTimeField(null=True)

    @property
    def is_open(self) -> bool:
        return self.open_until is not None and self.open_until > clock.now()


class Bulk(models.Model):
    """One patch that a lead pushed to many traces at once; each trace has an IdempotentPatch."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Generated with the preview: confirming the same preview twice is the same bulk.
    preview_id = models.UUIDField(db_column="mark")
    metadata = models.TextField()
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField(default=clock.now)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "preview_id"], name="one_bulk_per_preview")]


class IdempotentPatch(models.Model):
    """A patch put by another program or a bulk under an idempotency key: repeating the call returns the same patch."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    idempotency_key = models.CharField(max_length=200)
    # Hash of the content: reusing the key for different content is an error.
    digest = models.CharField(max_length=64)
    patch = models.ForeignKey(Patch, on_delete=models.CASCADE, related_name="+")
    bulk = models.ForeignKey(
        Bulk, on_delete=models.CASCADE, null=True, related_name="idempotent_patches", db_index=False
    )
    # Of a bulk: the value of each key before, as a JSON object of texts and nulls, for undo, which then empties it.
    previous_values = models.TextField(db_column="before", default="{}", db_default="{}")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "reviewapp_relay"
        constraints = [models.UniqueConstraint(fields=["project", "idempotency_key"], name="one_patch_per_name")]
        indexes = [models.Index(fields=["bulk", "id"], name="relay_of_bulk", condition=Q(bulk__isnull=False))]


class Heartbeat(models.Model):
    """A worker that is running, or ran recently."""

    worker = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    # How many seconds the clock of its host is ahead of the database's; negative if it is behind.
    # Ids of master keys that the worker lacks, separated by spaces.
    missing_master_keys = models.CharField(max_length=300, default="", db_default="")
    clock_offset = models.FloatField(default=0, db_default=0)

    @property
    def clock_difference(self) -> float:
        """The offset without its direction, in seconds."""
        return abs(self.clock_offset)


class RestoreMarker(models.Model):
    """One row: a counter that only grows. Workers also store it in a file, to notice that the database was restored."""

    installation = models.UUIDField(default=uuid.uuid4)
    counter = models.PositiveBigIntegerField(db_column="mark", default=0)
    # Which database the row is in: another value than the database's own means that the row was copied to it.
    location = models.CharField(max_length=80, default="", db_default="")

    class Meta:
        db_table = "reviewapp_tide"
