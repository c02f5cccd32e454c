"""The local mirror: what a reviewer reads and a lead filters by, pulled from Laminar."""

import json
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock

# A trace that ended this recently may still get spans and metadata.
CHANGE_WINDOW = timedelta(minutes=5)
# How long after a trace ended, or was last seen to change, its metadata is read again.
READS = [timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)]
KEPT_READ = timedelta(days=7)


class TraceQuerySet(models.QuerySet["Trace"]):
    def pulled(self) -> Self:
        """Traces that have been pulled at least once."""
        return self.filter(pulled_at__isnull=False)

    def due_for_pull(self, now: datetime) -> Self:
        """Traces the worker should pull now, the longest waiting first."""
        return self.filter(pull_due_at__lte=now).order_by("pull_due_at")

    def due_for_reread(self, project: Project, now: datetime) -> Self:
        """A project's traces whose metadata the worker should read again, the longest waiting first."""
        return self.filter(project=project, read_due_at__lte=now).order_by("read_due_at")

    def unqueued(self, project: Project) -> Self:
        """A project's traces that are here, and that nobody has queued."""
        return self.filter(project=project, is_kept=False, start_time__isnull=False)


class Trace(models.Model):
    """One trace of Laminar, or the place kept for one that has not come yet (`pulled_at` is null)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="traces", db_index=False)
    trace_id = models.UUIDField()
    name = models.CharField(max_length=300, blank=True)
    start_time = models.DateTimeField(null=True)
    end_time = models.DateTimeField(null=True)
    # Seconds from start to end, to sort by; null while the trace has no end.
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
    # The text Laminar holds, its spelling kept (1.0 is not 1 to a filter), with our own values on top.
    metadata = models.TextField(default="{}")
    # Our values not yet confirmed by a read-back: a pull must not take them from the mirror again.
    unconfirmed = models.TextField(default="{}")
    # How many reviews were submitted for it, in whichever queue: the number that each push's revision key carries.
    review_count = models.PositiveIntegerField(db_column="reviews", default=0)
    # When its metadata here last changed, its coming included: who reads traces in this order misses no change.
    noted_at = models.DateTimeField(null=True)
    pulled_at = models.DateTimeField(null=True)
    # When Laminar was asked for what its metadata says here: an answer that was asked for before then is older.
    asked_at = models.DateTimeField(null=True)
    # When its spans came too; the row alone is enough for a list, not for a reader.
    spans_pulled_at = models.DateTimeField(null=True)
    pull_due_at = models.DateTimeField(null=True)
    pull_tries = models.PositiveIntegerField(default=0)
    pull_error = models.CharField(max_length=300, blank=True)
    # When its metadata is read again, and when a reading last found it changed.
    read_due_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)
    # Queued or reviewed: it stays in the mirror for ever, the others for a while.
    is_kept = models.BooleanField(default=False, db_default=False)

    objects = TraceQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "trace_id"], name="one_row_per_trace")]
        indexes = [
            models.Index(fields=["project", "-start_time", "-id"], name="trace_newest_first"),
            models.Index(fields=["project", "-duration", "-id"], name="trace_longest_first"),
            models.Index(fields=["project", "-total_cost", "-id"], name="trace_dearest_first"),
            models.Index(fields=["project", "-total_tokens", "-id"], name="trace_most_tokens_first"),
            # Only the few that wait for a pull, however many traces there are.
            models.Index(fields=["pull_due_at"], name="trace_pull_due", condition=models.Q(pull_due_at__isnull=False)),
            models.Index(
                fields=["project", "read_due_at"], name="trace_read_due", condition=models.Q(read_due_at__isnull=False)
            ),
            # What goes first when the mirror is pruned, however many older ones are kept.
            models.Index(fields=["project", "start_time"], name="trace_pruned", condition=models.Q(is_kept=False)),
            # Those of before this was noted are left out: the index is made at once, however many traces there are.
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
        """How long the trace ran."""
        if self.start_time is None or self.end_time is None:
            return None
        return (self.end_time - self.start_time).total_seconds()

    @property
    def may_change(self) -> bool:
        """Whether it runs still or ended a moment ago, so that its values may be others soon."""
        return self.start_time is not None and (
            self.end_time is None or abs(clock.now() - self.end_time) < CHANGE_WINDOW
        )

    def next_read(self, now: datetime) -> datetime | None:
        """When to read its metadata again; one that nobody has queued is left after a day."""
        since = min(max(self.end_time or now, self.changed_at or datetime.min.replace(tzinfo=now.tzinfo)), now)
        again = next((at for wait in READS if (at := since + wait) > now), None)
        return again or (now + KEPT_READ if self.is_kept else None)

    @property
    def laminar_url(self) -> str:
        return self.project.trace_url(self.trace_id)


class Watermark(models.Model):
    """How far the traces of a project have been listed, by start time, at the Laminar that it had then."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="watermark")
    base_url = models.CharField(max_length=300, default="", db_default="")
    listed_until = models.DateTimeField(db_column="reached")
    # Every trace that began since then is in the mirror; of earlier ones only those that are kept.
    complete_since = models.DateTimeField(db_column="holds_since", null=True)
    # But for those that began between these two, which are listed from the newest down.
    gap_start = models.DateTimeField(db_column="lacks_since", null=True)
    gap_end = models.DateTimeField(db_column="lacks_until", null=True)

    class Meta:
        db_table = "reviewapp_pullmark"

    @property
    def gapless_since(self) -> datetime | None:
        """From when on nothing is lacking."""
        return self.gap_end or self.complete_since


class MetadataChange(models.Model):
    """One value of a trace that became another after the mirror saw it first: JSON texts, cut; null for no such key."""

    class Author(models.TextChoices):
        APPLICATION = "flight", "the application, in flight"
        REVIEW_APP = "us", "us"
        OTHER_AFTER_PUSH = "others", "others, after us"
        OTHER = "somebody", "somebody else"

    MAX_VALUE_LENGTH = 200

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="changes", db_index=False)
    key = models.CharField(max_length=300)
    before = models.CharField(max_length=MAX_VALUE_LENGTH, null=True)
    after = models.CharField(max_length=MAX_VALUE_LENGTH, null=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=10, choices=Author.choices)
    # The number of our patch; null with us where a push was taken back before it was sent.
    patch_id = models.BigIntegerField(db_column="patch", null=True)

    class Meta:
        db_table = "reviewapp_change"
        indexes = [
            models.Index(fields=["trace", "-id"], name="change_of_trace"),
            models.Index(fields=["project", "-id"], name="change_newest_first"),
        ]


class Span(models.Model):
    """One span, as its reader needs it."""

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

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.event_texts)
        return found


class PreparedTranscript(models.Model):
    """The transcript of a trace as a page opens it, made when its spans came; see prepared.py."""

    trace = models.OneToOneField(Trace, on_delete=models.CASCADE, primary_key=True, related_name="+")
    # Of the renderer (see prepared.py), and what the HTML has in place of the address of the page that shows it.
    version = models.CharField(max_length=32)
    url_placeholder = models.CharField(db_column="place", max_length=32)
    html = models.TextField()
    # The ways to the first error, tool call and longest step, as JSON; the final answer's text.
    jumps = models.TextField(default="[]")
    answer = models.TextField(blank=True)
    is_partial = models.BooleanField()
    is_empty = models.BooleanField()

    class Meta:
        db_table = "reviewapp_prepared"
        # Finds the rows of other versions without reading the HTML of all.
        indexes = [models.Index(fields=["version", "-trace"], name="prepared_by_version")]


class MetadataKey(models.Model):
    """One key of a project's metadata, with how many of its traces hold it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=300)
    count = models.BigIntegerField(default=0)

    class Meta:
        db_table = "reviewapp_key"
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_row_per_key")]
        indexes = [models.Index(fields=["project", "-count"], name="key_most_held")]


class Term(models.Model):
    """One key with one value, as the traces of a project hold it: the word of the metadata index."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Both cut for reading; the digest stands for the whole of key and value.
    key = models.CharField(max_length=300)
    value = models.CharField(max_length=200)
    digest = models.CharField(max_length=32)
    # How many postings it has, a few seconds late: changes wait as tallies.
    count = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="one_term_per_key_and_value")]
        indexes = [
            models.Index(fields=["project", "key", "-count"], name="term_most_held"),
            # The few that may be forgotten, however many there are.
            models.Index(fields=["id"], name="term_held_by_none", condition=models.Q(count=0)),
        ]


class Tally(models.Model):
    """A change of a term's count, waiting to be added to it.

    Many savers at once hold the same value (`score` 1, `needs_review` false): a row each, where they would queue
    up for the term's own.
    """

    term = models.ForeignKey(Term, on_delete=models.CASCADE, related_name="+", db_index=False)
    delta = models.BigIntegerField()


class Posting(models.Model):
    """A trace that holds a term, with the time it sorts by and the trace's signature."""

    UNSIGNED = -1

    term = models.ForeignKey(Term, on_delete=models.CASCADE, related_name="postings", db_index=False)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="postings")
    start_time = models.DateTimeField()
    # The bits of all the trace's terms; every bit is set as long as nobody has worked them out.
    signature = models.BigIntegerField(default=UNSIGNED, db_default=UNSIGNED)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["term", "trace"], name="one_posting_per_term_and_trace")]
        indexes = [
            # All that a walk down a term asks for: the postings themselves are not read.
            models.Index(fields=["term", "-start_time", "-trace", "signature"], name="posting_walked"),
            models.Index(fields=["trace"], name="posting_unsigned", condition=models.Q(signature=-1)),
        ]


class SavedView(models.Model):
    """A filter view under a name: one person's, or without an owner the project's."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    name = models.CharField(max_length=80)
    # Pairs, time range, columns and order, as `FilterView.query` spells them: whoever shows the same has the same text.
    query = models.TextField(blank=True)
    on_home = models.BooleanField(default=False)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "reviewapp_view"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "owner", "name"],
                condition=models.Q(owner__isnull=False),
                name="one_view_per_name_of_one",
            ),
            models.UniqueConstraint(
                fields=["project", "name"], condition=models.Q(owner__isnull=True), name="one_view_per_name_of_all"
            ),
        ]
