"""What to tell those who write metadata: nothing keeps it from being pushed, but something may surprise."""

from collections.abc import Sequence

from reviewapp.accounts.models import Project
from reviewapp.delivery.lint import warn_high_cardinality
from reviewapp.delivery.patch_input import PatchInput
from reviewapp.queues.models import Queue


def collect_warnings(project: Project, handed: Sequence[PatchInput]) -> list[str]:
    """The warnings about these patches, each said once."""
    said = dict.fromkeys(sentence for one in handed for sentence in one.warnings)
    keys = {key for one in handed for key in one.metadata}
    overwritten = [
        f"Reviews of the queue “{queue.name}” write {_joined(shared)} too: a review and this patch overwrite each"
        " other, and the later one stands. Give your keys a prefix of their own."
        for queue in Queue.objects.filter(project=project).order_by("pk")
        if (shared := sorted(keys.intersection(queue.pushed_keys)))
    ]
    return [*said, *overwritten, *warn_high_cardinality(project, [one.metadata for one in handed])]


def shared_keys(queue: Queue) -> list[tuple[Queue, list[str]]]:
    """The project's other queues that write some of this one's keys, each with those."""
    keys = set(queue.pushed_keys)
    others = Queue.objects.filter(project=queue.project).exclude(pk=queue.pk).order_by("pk")
    found = [(other, [key for key in other.pushed_keys if key in keys]) for other in others]
    return [(other, shared) for other, shared in found if shared]


def _joined(keys: Sequence[str]) -> str:
    quoted = [f"“{key}”" for key in keys]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
