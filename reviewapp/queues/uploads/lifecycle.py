"""Check, start, cancel and repeat an upload, each as a conditional update."""

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import clock
from reviewapp.queues.models import Queue
from reviewapp.queues.models.upload import Upload, UploadState

_NO_COUNTS = dict.fromkeys(
    ("position", "line", "added", "duplicates", "completed", "skipped", "requeued", "removed", "fault_count"), 0
)
_OPEN = (UploadState.MAPPING, UploadState.CHECKED)


def check_view(queue: Queue, user: User, query: str, size: int, reason: str = "") -> Upload:
    """Let the worker count what adding all traces of a view would do; `size` is their number, 0 if it is unknown."""
    return Upload.objects.create(
        queue=queue, kind=Upload.Kind.VIEW, name=query, size=size, reason=reason, state=UploadState.CHECKING,
        user=user, made_by=get_actor_name(user),
    )  # fmt: skip


def start(upload: Upload, actor: User | str, state: UploadState, **changes: object) -> bool:
    """Let the worker check or add the upload from its beginning; False if it has been started or cancelled since."""
    upload_now = Upload.objects.filter(pk=upload.pk, state__in=_OPEN)
    with transaction.atomic():
        if not upload_now.update(
            state=state, cursor="", processed_at=clock.now(), failure="", retry_at=None, **_NO_COUNTS, **changes
        ):
            return False
        upload.faults.all().delete()
        if state == UploadState.ADDING:
            queue = upload.queue
            record(queue.project, actor, "started upload", f"queue:{queue.slug}", upload=upload.pk, name=upload.name)
    return True


def cancel(upload: Upload, actor: User) -> bool:
    """Stop an upload; what it has added stays. False if it is done."""
    queue, unfinished = upload.queue, (*_OPEN, UploadState.CHECKING, UploadState.ADDING)
    with transaction.atomic():
        pending = Upload.objects.filter(pk=upload.pk, state__in=unfinished)
        is_cancelled = bool(pending.update(state=UploadState.CANCELLED, digest=None, processed_at=clock.now()))
        if is_cancelled:
            record(queue.project, actor, "cancelled upload", f"queue:{queue.slug}", upload=upload.pk, name=upload.name)
    return is_cancelled


def reopen(upload: Upload) -> bool:
    """Let a person process a file again; False if it is not done, or its content is no longer kept."""
    done = Upload.objects.filter(pk=upload.pk, state=UploadState.DONE)
    return upload.chunks.exists() and bool(done.update(state=UploadState.MAPPING))
