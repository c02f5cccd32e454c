"""Warn about metadata keys that more than one writer sets; a conflict never stops a push."""

from collections.abc import Sequence

from reviewapp.accounts.models import Project
from reviewapp.delivery.lint import warn_high_cardinality
from reviewapp.delivery.patch_validation import PatchInput
from reviewapp.queues.models import Queue


def collect_warnings(project: Project, patches: Sequence[PatchInput]) -> list[str]:
    """Return the warnings about these patches, without duplicates."""
    warnings = dict.fromkeys(warning for patch in patches for warning in patch.warnings)
    keys = {key for patch in patches for key in patch.metadata}
    conflicts = [
        f"Reviews of the queue “{queue.name}” also write {_join_keys(shared)}. A review and this patch overwrite each"
        " other, and the later one wins. Use a prefix for your keys."
        for queue in Queue.objects.filter(project=project).order_by("pk")
        if (shared := sorted(keys.intersection(queue.pushed_keys)))
    ]
    return [*warnings, *conflicts, *warn_high_cardinality(project, [patch.metadata for patch in patches])]


def find_review_keys(project: Project) -> set[str]:
    """The metadata keys that reviews of the project write."""
    return {key for queue in Queue.objects.filter(project=project) for key in queue.ever_pushed_keys}


def shared_keys(queue: Queue) -> list[tuple[Queue, list[str]]]:
    """Return the project's other queues that write some of this queue's keys, each with those keys."""
    keys = set(queue.pushed_keys)
    others = Queue.objects.filter(project=queue.project).exclude(pk=queue.pk).order_by("pk")
    keys_by_queue = [(other, [key for key in other.pushed_keys if key in keys]) for other in others]
    return [(other, shared) for other, shared in keys_by_queue if shared]


def _join_keys(keys: Sequence[str]) -> str:
    quoted = [f"“{key}”" for key in keys]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
