"""What leads filter traces by: the metadata index, its keys, tags, excerpts and saved views."""

from django.db import models

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock
from reviewapp.traces.models import Trace


class MetadataKey(models.Model):
    """One metadata key of a project, with the number of traces that have it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=300)
    count = models.BigIntegerField(default=0)

    class Meta:
        db_table = "reviewapp_key"
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_row_per_key")]
        indexes = [models.Index(fields=["project", "-count"], name="key_most_held")]


class Term(models.Model):
    """One metadata key with one value: the unit of a project's metadata index."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Both truncated, for display; the digest identifies the full key and value.
    key = models.CharField(max_length=300)
    value = models.CharField(max_length=200)
    digest = models.CharField(max_length=32)
    # Number of postings, a few seconds late: changes are queued as tallies.
    count = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="one_term_per_key_and_value")]
        indexes = [
            models.Index(fields=["project", "key", "-count"], name="term_most_held"),
            # Only the few terms that may be deleted, so the index stays small.
            models.Index(fields=["id"], name="term_held_by_none", condition=models.Q(count=0)),
        ]


class Tally(models.Model):
    """A change of a term's count that has not been added to it yet.

    Many saves at once write the same value (`score` 1, `needs_review` false). Each inserts a tally; updating the count
    would make them wait for the lock on the term's row.
    """

    term = models.ForeignKey(Term, on_delete=models.CASCADE, related_name="+", db_index=False)
    delta = models.BigIntegerField()


class Posting(models.Model):
    """A trace that has a term, with its start time for sorting and the signature of all its terms."""

    UNSIGNED = -1

    term = models.ForeignKey(Term, on_delete=models.CASCADE, related_name="postings", db_index=False)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="postings")
    start_time = models.DateTimeField()
    # Bits of all the trace's terms; UNSIGNED has every bit set and stands for "not computed yet".
    signature = models.BigIntegerField(default=UNSIGNED, db_default=UNSIGNED)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["term", "trace"], name="one_posting_per_term_and_trace")]
        indexes = [
            # Covers everything that a scan of a term's postings reads, so the table itself is not read.
            models.Index(fields=["term", "-start_time", "-trace", "signature"], name="posting_walked"),
            models.Index(fields=["trace"], name="posting_unsigned", condition=models.Q(signature=-1)),
        ]


class TraceTag(models.Model):
    """A tag of a trace and where it was set, which decides whether Laminar itself can filter by it."""

    class Source(models.TextChoices):
        # Laminar's `traces.tags`: the tags that the spans had when they arrived.
        ARRIVAL = "arrival", "set by the application, in flight"
        LAMINAR = "laminar", "set in Laminar"
        # A span of the trace has it. Laminar adds later tags to a span only, where no filter of its looks.
        SPAN = "span", "added to a span afterwards"
        REVIEW = "review", "added by a review"

    MAX_NAME_LENGTH = 200

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="tags", db_index=False)
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    source = models.CharField(max_length=10, choices=Source.choices)
    # The trace's, so that the index alone has the order of a list.
    start_time = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace", "name", "source"], name="one_row_per_tag_and_source")]
        indexes = [models.Index(fields=["project", "name", "-start_time", "-trace"], name="tag_newest_first")]


class Excerpt(models.Model):
    """The beginnings of a trace's question and answer, each on one line, which lists show and search.

    Stored when its spans are pulled; see excerpts.py.
    """

    MAX_LENGTH = 200

    trace = models.OneToOneField(Trace, on_delete=models.CASCADE, primary_key=True, related_name="excerpt")
    question = models.CharField(max_length=MAX_LENGTH, blank=True)
    answer = models.CharField(max_length=MAX_LENGTH, blank=True)


class SavedView(models.Model):
    """A named filter view: of one person, or of the whole project if it has no owner."""

    class Subject(models.TextChoices):
        TRACES = "traces", "traces"
        REVIEWS = "reviews", "reviews"

    # What it lists.
    subject = models.CharField(
        max_length=10, choices=Subject.choices, default=Subject.TRACES, db_default=Subject.TRACES
    )
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    name = models.CharField(max_length=80)
    # Pairs, time range, columns and order as written by `FilterView.query`: equal views have equal texts.
    query = models.TextField(blank=True)
    on_home = models.BooleanField(default=False)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "reviewapp_view"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "subject", "owner", "name"],
                condition=models.Q(owner__isnull=False),
                name="one_view_per_name_of_one",
            ),
            models.UniqueConstraint(
                fields=["project", "subject", "name"],
                condition=models.Q(owner__isnull=True),
                name="one_view_per_name_of_all",
            ),
        ]
