"""Files and filter views whose traces the worker adds to a queue, batch by batch."""

from typing import Any

from django.db import models
from django.db.models import Q

from reviewapp.accounts.models import User
from reviewapp.lib import canonical_json, clock
from reviewapp.queues.models import Queue


class UploadState(models.TextChoices):
    RECEIVING = "receiving", "Receiving"
    MAPPING = "mapping", "Columns not confirmed"
    CHECKING = "checking", "Checking"
    CHECKED = "checked", "Checked"
    ADDING = "adding", "Adding"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


# What the worker processes, and the state that follows at the end.
NEXT_STATES = {UploadState.CHECKING: UploadState.CHECKED, UploadState.ADDING: UploadState.DONE}


class Upload(models.Model):
    """A file, or a whole filter view, whose traces are added to a queue.

    `position` is the byte at which the next batch begins, `line` the number of lines, or traces of a view, before it.
    """

    class Kind(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSONL"
        VIEW = "view", "view"

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="uploads", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # The file's name, or the view's query string with the cursor of the last trace processed.
    name = models.TextField(blank=True)
    cursor = models.CharField(max_length=100, blank=True, default="")
    # SHA-256 of the file as it was sent; null while it is received, and once it is cancelled.
    digest = models.CharField(max_length=64, null=True)
    # Bytes stored, as UTF-8; of a view, its traces as far as they are counted.
    size = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=UploadState.choices, default=UploadState.RECEIVING)
    # JSON: where the columns are (see uploads.columns.Layout), and what is set for all lines.
    layout = models.TextField(default="{}")
    reason = models.CharField(max_length=300, blank=True)
    priority = models.IntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    # Also add traces that a person removed; also make completed and skipped items pending again.
    brings_back = models.BooleanField(default=False)
    requeues = models.BooleanField(default=False)
    position = models.BigIntegerField(default=0)
    line = models.BigIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    completed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    requeued = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    fault_count = models.PositiveIntegerField(default=0)
    # Why the last batch failed, and when it is tried again.
    failure = models.CharField(max_length=300, blank=True)
    retry_at = models.DateTimeField(null=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    made_by = models.CharField(max_length=120)
    made_at = models.DateTimeField(default=clock.now)
    processed_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "digest"], name="one_upload_per_file_and_queue")]
        indexes = [
            models.Index(fields=["queue", "-id"], name="upload_of_queue"),
            models.Index(
                fields=["processed_at"], name="upload_unfinished", condition=Q(state__in=["checking", "adding"])
            ),
        ]

    @property
    def is_running(self) -> bool:
        """Whether the worker has lines of it to process."""
        return self.state in NEXT_STATES

    @property
    def is_view(self) -> bool:
        return self.kind == self.Kind.VIEW

    @property
    def percent(self) -> int | None:
        """How much of it is processed, from 0 to 100; None if its size is unknown."""
        processed = self.line if self.is_view else self.position
        return min(100, 100 * processed // self.size) if self.size else None

    @property
    def parsed_layout(self) -> Any:
        return canonical_json.loads(self.layout)


class UploadChunk(models.Model):
    """CHUNK_BYTES of a file as UTF-8 with line feeds; the last one may be shorter."""

    CHUNK_BYTES = 256 * 1024

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["upload", "number"], name="one_chunk_per_number")]


class UploadFault(models.Model):
    """A line that was not added, and what to do about it."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="faults", db_index=False)
    line = models.BigIntegerField()
    problem = models.CharField(max_length=400)

    class Meta:
        indexes = [models.Index(fields=["upload", "line", "id"], name="fault_of_upload")]
