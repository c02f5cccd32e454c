"""The outbox: what is to be pushed to Laminar, how far each push has come, and every try."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any, Self

from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock


class State(models.TextChoices):
    WAITING = "waiting", "waiting"
    SENDING = "sending", "sending"
    ACCEPTED = "accepted", "accepted"
    CONFIRMED = "confirmed", "confirmed"
    PARKED = "parked", "parked"
    SUPERSEDED = "superseded", "superseded"


class Reason(models.TextChoices):
    """Why a patch is parked: what a person has to look at."""

    REFUSED = "refused", "Laminar refused it"
    TRACE_NOT_FOUND = "trace not found", "Laminar does not know the trace"
    GAVE_UP = "gave up", "Laminar was not reached for too long"
    UNCONFIRMED = "unconfirmed", "Laminar said yes, but the values never appeared"


class PatchQuerySet(models.QuerySet["Patch"]):
    def unfinished(self) -> Self:
        """Patches whose way has not ended."""
        return self.filter(state__in=[State.WAITING, State.SENDING, State.ACCEPTED])

    def by_state(self) -> dict[str, int]:
        """How many there are in each state, in the order of the way."""
        counts = dict(self.order_by().values_list("state").annotate(models.Count("pk")))
        return {state.value: counts.get(state.value, 0) for state in State}


class Patch(models.Model):
    """One outbox row: the metadata that one push merges into one trace.

    waiting -> sending -> accepted -> confirmed; back to waiting after a passing fault; parked when a
    person has to look; superseded when a newer patch of the same trace carries its keys.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="patches", db_index=False)
    trace_id = models.UUIDField()
    metadata = models.TextField()
    # Names to put on the trace's top span beside the metadata, as a JSON list.
    tags = models.TextField(default="[]", db_default="[]")
    # What the patch came from, as a word for people: `review of ana`, `token:ci`.
    source = models.CharField(max_length=160)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    superseded_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="supersedes")
    # The keys it only carries for older ones, as a JSON list; null where an older release put it and nobody knows.
    carried = models.TextField(null=True)
    created_at = models.DateTimeField()
    # waiting: when to push; accepted: when to read back.
    due_at = models.DateTimeField()
    # Who holds the row while sending. The number grows with each lease: a worker that wakes late holds
    # an old one and can mark nothing.
    lease = models.PositiveBigIntegerField(default=0, db_default=0)
    leased_until = models.DateTimeField(null=True)
    # Tries that failed in passing, tries while Laminar does not know the trace, sends it said yes to.
    failures = models.PositiveIntegerField(default=0, db_default=0)
    misses = models.PositiveIntegerField(default=0, db_default=0)
    sends = models.PositiveIntegerField(default=0, db_default=0)
    reads = models.PositiveIntegerField(default=0, db_default=0)
    accepted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True, db_default="")
    last_error = models.CharField(max_length=600, blank=True, db_default="")
    # Confirmed: when to look whether Laminar still has the values, null when nobody looks any more; looks so far.
    watch_due_at = models.DateTimeField(null=True)
    watches = models.PositiveSmallIntegerField(default=0, db_default=0)
    # What Laminar holds instead, under keys of ours that somebody else has changed: a JSON object of lists, each with
    # the value there, or empty where the key is gone. Without `drifted_at` a person has let these be.
    drift = models.TextField(default="{}", db_default="{}")
    drifted_at = models.DateTimeField(null=True)

    # The trace's name, where a list has looked it up.
    trace_name = ""

    objects = PatchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="patch_state_is_known"),
            # The rule that orders pushes, kept by the database itself.
            models.UniqueConstraint(
                fields=["project", "trace_id"], condition=Q(state=State.SENDING), name="one_push_under_way_per_trace"
            ),
        ]
        indexes = [
            # Each holds only the rows still on their way, so a lease costs the same among a million old ones.
            # By project, so that the rows of one that is held are never walked over.
            models.Index(fields=["project", "due_at", "id"], name="patch_waiting", condition=Q(state=State.WAITING)),
            models.Index(fields=["leased_until"], name="patch_sending", condition=Q(state=State.SENDING)),
            models.Index(fields=["due_at", "id"], name="patch_accepted", condition=Q(state=State.ACCEPTED)),
            models.Index(fields=["watch_due_at"], name="patch_watched", condition=Q(watch_due_at__isnull=False)),
            models.Index(fields=["project", "-id"], name="patch_drifted", condition=Q(drifted_at__isnull=False)),
            models.Index(fields=["project", "trace_id", "-id"], name="patch_by_trace"),
            models.Index(fields=["project", "state", "-id"], name="patch_by_state"),
        ]

    @property
    def values(self) -> dict[str, Any]:
        """The patch as a JSON object."""
        found: dict[str, Any] = canonical_json.loads(self.metadata)
        return found

    @property
    def carried_keys(self) -> set[str]:
        """The keys that older patches set and it did not, as far as is known."""
        return set(canonical_json.loads(self.carried or "[]"))

    @property
    def tag_names(self) -> list[str]:
        """The tags it puts on the trace's top span."""
        found: list[str] = canonical_json.loads(self.tags)
        return found

    @property
    def is_partially_sent(self) -> bool:
        """Whether only the tags are left to send: Laminar took the metadata, or newer patches say all of it."""
        return self.tags != "[]" and (self.accepted_at is not None or self.metadata == "{}")

    @property
    def has_tags_to_send(self) -> bool:
        """Whether Laminar has not taken the tags yet; metadata that is sent once more goes without them."""
        if self.state == State.ACCEPTED or self.reason == Reason.UNCONFIRMED:
            return False
        return self.tags != "[]" and (self.sends == 0 or self.is_partially_sent)

    @property
    def lacks_only_tags(self) -> bool:
        """Whether Laminar took the metadata and not yet the tags."""
        return self.is_partially_sent and self.has_tags_to_send

    def is_said_by(self, metadata: Mapping[str, Any], tags: Collection[str]) -> bool:
        """Whether a new patch may take the place of this one, parked perhaps for what is in it.

        Tags that could not go stay with it: carried on they would park each patch after it, and its metadata is there.
        """
        return self.values.keys() <= metadata.keys() and (not self.lacks_only_tags or set(self.tag_names) <= set(tags))

    @property
    def tries(self) -> int:
        return self.sends + self.failures + self.misses

    @property
    def can_be_retried(self) -> bool:
        return self.state == State.PARKED or (self.state == State.WAITING and self.failures + self.misses > 0)


class Attempt(models.Model):
    """One try to push a patch, or to read it back, and what came of it."""

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
    """Whether pushing for a project is held back: after failures in a row, or because its key is refused."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="breaker")
    failures = models.PositiveIntegerField(default=0)
    # Nothing is pushed before this moment; then one patch at a time goes to try, until one gets an answer.
    open_until = models.DateTimeField(db_column="held_until", null=True)
    # The key that was refused: another one in use closes the breaker.
    refused_key = models.UUIDField(null=True)
    reason = models.CharField(max_length=600, blank=True)
    # The database was put back to an earlier state, or a person asked for it: nothing is pushed before one has said so.
    paused_at = models.DateTimeField(db_column="restored_at", null=True)
    # What the project's rate limit still allows, in pushes, and when that was reckoned.
    allowance = models.FloatField(default=0, db_default=0)
    allowance_at = models.DateTimeField(null=True)

    @property
    def is_open(self) -> bool:
        return self.open_until is not None and self.open_until > clock.now()


class Bulk(models.Model):
    """One patch that a lead pushed to many traces at once, each trace's under a Relay."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Made with the preview: the same confirmation sent again is the same bulk.
    preview_id = models.UUIDField(db_column="mark")
    metadata = models.TextField()
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField(default=clock.now)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "preview_id"], name="one_bulk_per_preview")]


class IdempotentPatch(models.Model):
    """A patch that another program, or a bulk, handed over under a name: the same call again is the same patch."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    idempotency_key = models.CharField(max_length=200)
    # Of what was asked: the same name for something else is a mistake to be told.
    digest = models.CharField(max_length=64)
    patch = models.ForeignKey(Patch, on_delete=models.CASCADE, related_name="+")
    bulk = models.ForeignKey(
        Bulk, on_delete=models.CASCADE, null=True, related_name="idempotent_patches", db_index=False
    )
    # Of a bulk: what stood under each of its keys before, as JSON of texts and nulls, for an undo, which empties it.
    previous_values = models.TextField(db_column="before", default="{}", db_default="{}")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "reviewapp_relay"
        constraints = [models.UniqueConstraint(fields=["project", "idempotency_key"], name="one_patch_per_name")]
        indexes = [models.Index(fields=["bulk", "id"], name="relay_of_bulk", condition=Q(bulk__isnull=False))]


class Heartbeat(models.Model):
    """A worker that runs, or ran a while ago."""

    worker = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()


class RestoreMarker(models.Model):
    """One row: a number that only grows. Workers note it outside too, and so see that the database was put back."""

    installation = models.UUIDField(default=uuid.uuid4)
    counter = models.PositiveBigIntegerField(db_column="mark", default=0)

    class Meta:
        db_table = "reviewapp_tide"
