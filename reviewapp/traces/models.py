"""The local mirror of Laminar's traces: what reviewers read."""

import json
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Self

from django.db import models

from reviewapp.accounts.models import Project
from reviewapp.lib import clock

# A trace that ended this recently may still receive spans and metadata.
CHANGE_WINDOW = timedelta(minutes=5)
# Delays after the end of a trace, or after its last known change, at which its metadata is read again.
REREAD_DELAYS = [timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)]
# Interval of the readings after those, for traces that stay in the mirror for ever.
REREAD_INTERVAL = timedelta(days=7)


class TraceQuerySet(models.QuerySet["Trace"]):
    def pulled(self) -> Self:
        """Traces that have been pulled at least once."""
        return self.filter(pulled_at__isnull=False)

    def with_readability(self) -> Self:
        """Traces with `has_unreadable_parts`, so that a page queries their marks only if there are any."""
        marks = UnreadablePart.objects.filter(trace=models.OuterRef("pk"))
        return self.annotate(has_unreadable_parts=models.Exists(marks))

    def due_for_pull(self, now: datetime) -> Self:
        """Traces that the worker should pull now, longest waiting first."""
        return self.filter(pull_due_at__lte=now).order_by("pull_due_at")

    def due_for_reread(self, project: Project, now: datetime) -> Self:
        """A project's traces whose metadata the worker should read again, longest waiting first."""
        return self.filter(project=project, read_due_at__lte=now).order_by("read_due_at")

    def unqueued(self, project: Project) -> Self:
        """A project's listed or pulled traces that nobody has queued or reviewed."""
        return self.filter(project=project, is_kept=False, start_time__isnull=False)


class Trace(models.Model):
    """One trace of Laminar, or the placeholder of one that has not been pulled yet (`pulled_at` is null)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="traces", db_index=False)
    trace_id = models.UUIDField()
    name = models.CharField(max_length=300, blank=True)
    start_time = models.DateTimeField(null=True)
    end_time = models.DateTimeField(null=True)
    # Seconds from start to end, for sorting; null while the trace has no end.
    duration = models.FloatField(null=True)
    status = models.CharField(max_length=20, blank=True)
    session_id = models.CharField(max_length=300, blank=True)
    user_id = models.CharField(max_length=300, blank=True)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    total_tokens = models.BigIntegerField(default=0)
    total_cost = models.FloatField(default=0)
    span_count = models.PositiveIntegerField(default=0)
    is_cut = models.BooleanField(default=False)
    # Laminar's JSON text, with its spelling of numbers (a filter tells 1.0 from 1), with our own values on top.
    metadata = models.TextField(default="{}")
    # Our values that no read-back has confirmed yet: a pull must not overwrite them.
    unconfirmed = models.TextField(default="{}")
    # Number of reviews submitted for it in all queues; each push sends it under its revision key.
    review_count = models.PositiveIntegerField(db_column="reviews", default=0)
    # When the metadata or start time in the mirror last changed, first pull included: reading in this order misses
    # no change.
    noted_at = models.DateTimeField(null=True)
    pulled_at = models.DateTimeField(null=True)
    # When the query was sent that returned this metadata: the response to an earlier query is older.
    asked_at = models.DateTimeField(null=True)
    # When its spans were pulled too: a list needs only the row, a reader needs the spans.
    spans_pulled_at = models.DateTimeField(null=True)
    pull_due_at = models.DateTimeField(null=True)
    pull_tries = models.PositiveIntegerField(default=0)
    pull_error = models.CharField(max_length=300, blank=True)
    # When to read its metadata again, and when Laminar's metadata was last seen to have changed.
    read_due_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)
    # Queued or reviewed: never pruned from the mirror.
    is_kept = models.BooleanField(default=False, db_default=False)

    objects = TraceQuerySet.as_manager()

    # Annotated by `with_readability`; None if not known.
    has_unreadable_parts: bool | None = None
    # Annotated by `get_trace_or_404`; None if not known.
    has_tags: bool | None = None

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "trace_id"], name="one_row_per_trace")]
        indexes = [
            models.Index(fields=["project", "-start_time", "-id"], name="trace_newest_first"),
            models.Index(fields=["project", "-duration", "-id"], name="trace_longest_first"),
            models.Index(fields=["project", "-total_cost", "-id"], name="trace_dearest_first"),
            models.Index(fields=["project", "-total_tokens", "-id"], name="trace_most_tokens_first"),
            models.Index(
                fields=["project", "session_id", "-start_time", "-id"],
                name="trace_of_session",
                condition=~models.Q(session_id=""),
            ),
            models.Index(
                fields=["project", "user_id", "-start_time", "-id"],
                name="trace_of_user",
                condition=~models.Q(user_id=""),
            ),
            models.Index(
                fields=["project", "-start_time", "-id"], name="trace_failed", condition=models.Q(status="error")
            ),
            models.Index(
                fields=["project", "-start_time", "-id"], name="trace_queued", condition=models.Q(is_kept=True)
            ),
            # Only the few traces that wait for a pull, so the index stays small.
            models.Index(fields=["pull_due_at"], name="trace_pull_due", condition=models.Q(pull_due_at__isnull=False)),
            models.Index(
                fields=["project", "read_due_at"], name="trace_read_due", condition=models.Q(read_due_at__isnull=False)
            ),
            # Finds what to prune first, without reading the traces that are never pruned.
            models.Index(fields=["project", "start_time"], name="trace_pruned", condition=models.Q(is_kept=False)),
            # Leaves out rows from before this field existed, so that creating the index is instant on a large table.
            models.Index(
                fields=["project", "noted_at", "id"],
                name="trace_as_noted",
                condition=models.Q(noted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.trace_id)

    @property
    def has_spans(self) -> bool:
        return self.spans_pulled_at is not None

    @property
    def seconds(self) -> float | None:
        """How long the trace ran; None while its start or end is unknown."""
        if self.start_time is None or self.end_time is None:
            return None
        return (self.end_time - self.start_time).total_seconds()

    @property
    def may_change(self) -> bool:
        """Whether it is running or ended less than CHANGE_WINDOW ago, so that its values may still change."""
        return self.start_time is not None and (
            self.end_time is None or abs(clock.now() - self.end_time) < CHANGE_WINDOW
        )

    def compute_next_read(self, now: datetime) -> datetime | None:
        """When to read its metadata again; None after a day if nobody has queued it."""
        since = min(max(self.end_time or now, self.changed_at or datetime.min.replace(tzinfo=now.tzinfo)), now)
        planned = next((read_at for delay in REREAD_DELAYS if (read_at := since + delay) > now), None)
        return planned or (now + REREAD_INTERVAL if self.is_kept else None)

    @property
    def laminar_url(self) -> str:
        return self.project.trace_url(self.trace_id)


class UnreadablePart(models.Model):
    """A part of a trace that could not be read at the last attempt; everything else of the trace is kept.

    The worker tries it again at `retry_at`, and deletes the row as soon as the part can be read.
    """

    class Part(models.TextChoices):
        TRACE = "trace", "This trace"
        METADATA = "metadata", "The metadata"
        SPANS = "spans", "Spans of this trace"
        TRANSCRIPT = "transcript", "The transcript"

    MAX_REASON_LENGTH = 300

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="unreadable_parts", db_index=False)
    part = models.CharField(max_length=20, choices=Part.choices)
    # Without a full stop.
    reason = models.CharField(max_length=MAX_REASON_LENGTH)
    # The response is longer than may be read: the trace is left out of listings, and read again alone.
    is_too_long = models.BooleanField(default=False)
    since = models.DateTimeField(default=clock.now)
    tries = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace", "part"], name="one_row_per_unreadable_part")]
        indexes = [
            models.Index(fields=["project", "-id"], name="unreadable_newest_first"),
            models.Index(fields=["retry_at"], name="unreadable_retry_due"),
        ]

    def __str__(self) -> str:
        return f"{self.get_part_display()} could not be read: {self.reason}."


class Watermark(models.Model):
    """How far a project's traces have been listed, by start time, from the Laminar at `base_url`."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="watermark")
    base_url = models.CharField(max_length=300, default="", db_default="")
    listed_until = models.DateTimeField(db_column="reached")
    # Every trace that started since then is in the mirror; of earlier traces only those that are never pruned.
    complete_since = models.DateTimeField(db_column="holds_since", null=True)
    # Except those that started in [gap_start, gap_end): the gap is closed from the newest down.
    gap_start = models.DateTimeField(db_column="lacks_since", null=True)
    gap_end = models.DateTimeField(db_column="lacks_until", null=True)

    class Meta:
        db_table = "reviewapp_pullmark"

    @property
    def gapless_since(self) -> datetime | None:
        """Start time from which on the mirror has every trace."""
        return self.gap_end or self.complete_since


class MetadataChange(models.Model):
    """A change of one metadata value after the first pull: truncated JSON texts, null where the key did not exist."""

    class Author(models.TextChoices):
        APPLICATION = "spans", "the application, in flight"
        REVIEW_APP = "us", "the review desk"
        OTHER_AFTER_PUSH = "others", "someone else, after our push"
        OTHER = "outside", "someone else"
        # The spans that tell are not here, or not all of them.
        UNKNOWN = "unknown", "unknown"
        # Earlier releases guessed by the time of the change.
        GUESSED_APPLICATION = "flight", "unknown, an earlier release guessed"
        GUESSED_OTHER = "somebody", "unknown, an earlier release guessed"

    MAX_VALUE_LENGTH = 200

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="changes", db_index=False)
    key = models.CharField(max_length=300)
    before = models.CharField(max_length=MAX_VALUE_LENGTH, null=True)
    after = models.CharField(max_length=MAX_VALUE_LENGTH, null=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=10, choices=Author.choices)
    # Primary key of our patch; null for REVIEW_APP when a patch was reverted before it was sent.
    patch_id = models.BigIntegerField(db_column="patch", null=True)

    class Meta:
        db_table = "reviewapp_change"
        indexes = [
            models.Index(fields=["trace", "-id"], name="change_of_trace"),
            models.Index(fields=["project", "-id"], name="change_newest_first"),
        ]


class Span(models.Model):
    """One span of a trace, with the fields that the reader shows."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="spans", db_index=False)
    span_id = models.UUIDField()
    parent_span_id = models.UUIDField(null=True)
    name = models.CharField(max_length=300)
    span_type = models.CharField(max_length=30)
    status = models.CharField(max_length=20, blank=True)
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    input = models.TextField(blank=True)
    output = models.TextField(blank=True)
    model = models.CharField(max_length=200, blank=True)
    total_tokens = models.BigIntegerField(default=0)
    total_cost = models.FloatField(default=0)
    attributes = models.TextField(default="{}")
    event_texts = models.TextField(default="[]")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace", "span_id"], name="one_row_per_span")]
        indexes = [models.Index(fields=["trace", "start_time", "id"], name="span_in_order")]

    @property
    def duration(self) -> float:
        return (self.end_time - self.start_time).total_seconds()

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The events, if there are exceptions among them; others are only shown as stored."""
        # As pull.py spells it.
        if '"name": "exception"' not in self.event_texts:
            return []
        events: list[dict[str, Any]] = json.loads(self.event_texts)
        return events


class SpanMetadata(models.Model):
    """The metadata values in the attributes of a trace's spans, stored when these are pulled; see span_values.py."""

    trace = models.OneToOneField(Trace, on_delete=models.CASCADE, primary_key=True, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # JSON: key -> list of [JSON text, id and name of the first span, number of spans].
    values = models.TextField(default="{}")

    class Meta:
        indexes = [models.Index(fields=["project", "-trace"], name="span_metadata_newest")]


class PreparedTranscript(models.Model):
    """The rendered transcript that opens a trace's page, stored when its spans are pulled; see prepared.py."""

    trace = models.OneToOneField(Trace, on_delete=models.CASCADE, primary_key=True, related_name="+")
    # Version of the renderer (see prepared.py), and what the HTML has instead of the URL of the page that shows it.
    version = models.CharField(max_length=32)
    url_placeholder = models.CharField(db_column="place", max_length=32)
    html = models.TextField()
    # Links to the first error, first tool call and longest step, as JSON; the text of the final answer.
    jumps = models.TextField(default="[]")
    answer = models.TextField(blank=True)
    is_partial = models.BooleanField()
    is_empty = models.BooleanField()

    # The beginnings of the question and the answer, which are stored beside the trace.
    excerpts: tuple[str, str] = ("", "")

    class Meta:
        db_table = "reviewapp_prepared"
        # Finds rows of other versions without reading their HTML.
        indexes = [models.Index(fields=["version", "-trace"], name="prepared_by_version")]
