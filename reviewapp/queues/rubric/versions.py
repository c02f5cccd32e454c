"""Rubric versions: every version is stored, and a review refers to the one it was given under."""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import canonical_json
from reviewapp.queues.models import Queue, Rubric
from reviewapp.queues.rubric.criteria import Criterion

# The fields of a queue that are part of its rubric. The other fields say where answers go.
RUBRIC_FIELDS = ("question", "guideline", "score_min", "score_max", "score_step", "criteria")


@dataclass(frozen=True, slots=True)
class Preset:
    """A predefined score scale, and the question that explains it."""

    label: str
    low: int
    high: int
    step: Decimal
    question: str = ""


PRESETS = {
    "pass-fail": Preset("pass or fail", 0, 1, Decimal(1), "Does it pass? 1 is pass, 0 is fail."),
    "1-5": Preset("1 to 5", 1, 5, Decimal(1)),
    "0-1": Preset("0 to 1 in hundredths", 0, 1, Decimal("0.01")),
}


class StaleRubricError(Exception):
    """The rubric was changed since it was opened, so nothing was saved. `queue` is the queue as stored now."""

    def __init__(self, queue: Queue) -> None:
        super().__init__("The rubric was changed since it was opened.")
        self.queue = queue


def dump_rubric(queue: Queue) -> str:
    """Dump the queue's rubric as one JSON text."""
    fields = {name: getattr(queue, name) for name in RUBRIC_FIELDS}
    return canonical_json.dumps(fields | {"criteria": canonical_json.loads(queue.criteria)})


def store_version(queue: Queue, actor: User | str) -> None:
    """Store the queue's rubric under its current version, unless that version is stored already."""
    defaults = {"text": dump_rubric(queue), "made_by": get_actor_name(actor)}
    Rubric.objects.get_or_create(queue=queue, version=queue.rubric_version, defaults=defaults)


def save_rubric(edited: Queue, actor: User | str, *, version: int) -> bool:
    """Save the rubric of `edited`, a validated queue, as the next version; False if nothing changed.

    Raises StaleRubricError if the stored rubric is no longer at `version`, ValidationError if its keys clash with
    settings that changed in the meantime.
    """
    with transaction.atomic():
        stored = Queue.objects.select_for_update(no_key=True).get(pk=edited.pk)
        if stored.rubric_version != version:
            raise StaleRubricError(stored)
        if dump_rubric(stored) == dump_rubric(edited):
            return False
        # A queue that is older than rubrics has no stored version, and its reviews were given under this one.
        store_version(stored, "settings")
        changed = [name for name in RUBRIC_FIELDS if getattr(stored, name) != getattr(edited, name)]
        for name in changed:
            setattr(stored, name, getattr(edited, name))
        stored.clean()
        stored.rubric_version += 1
        stored.save(update_fields=[*changed, "rubric_version"])
        store_version(stored, actor)
        project = Project.objects.get(pk=stored.project_id)
        target = f"queue:{stored.slug}"
        record(project, actor, "changed rubric", target, version=stored.rubric_version, changed=changed)
    edited.rubric_version = stored.rubric_version
    return True


def apply_preset(queue: Queue, preset: Preset) -> None:
    """Replace the queue's scale by the preset's; its question only if it has none."""
    queue.score_min, queue.score_max, queue.score_step = Decimal(preset.low), Decimal(preset.high), preset.step
    queue.question = queue.question or preset.question


def queue_at_version(queue: Queue, version: int) -> Queue:
    """Return a copy of the queue with the rubric of this version; the queue itself if that version is not stored."""
    rubric = None if version == queue.rubric_version else queue.rubrics.filter(version=version).first()
    return queue if rubric is None else _with_rubric(queue, rubric)


def criteria_by_version(
    queues: Collection[Queue], versions: Collection[int]
) -> dict[tuple[int, int], tuple[Criterion, ...]]:
    """Return the criteria of these queues at these versions, by queue and version, in one query."""
    by_pk = {queue.pk: queue for queue in queues}
    # A queue without a stored rubric has never changed, so its current criteria are those of its version.
    criteria = {(queue.pk, queue.rubric_version): queue.parsed_criteria for queue in queues}
    for rubric in Rubric.objects.filter(queue__in=by_pk, version__in=versions):
        criteria[rubric.queue_id, rubric.version] = _with_rubric(by_pk[rubric.queue_id], rubric).parsed_criteria
    return criteria


def _with_rubric(queue: Queue, rubric: Rubric) -> Queue:
    fields: dict[str, Any] = canonical_json.loads(rubric.text)
    fields["criteria"] = canonical_json.dumps(fields["criteria"])
    for name in ("score_min", "score_max", "score_step"):
        fields[name] = Decimal(str(fields[name]))
    copied = copy(queue)
    for name in RUBRIC_FIELDS:
        setattr(copied, name, fields[name])
    copied.rubric_version = rubric.version
    return copied
