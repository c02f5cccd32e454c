"""What a queue asks, kept version by version: a review says under which one it was given."""

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

# Whatever of a queue is asked; the rest says where answers go.
ASKED = ("question", "guideline", "score_min", "score_max", "score_step", "criteria")


@dataclass(frozen=True, slots=True)
class Preset:
    """A scale to begin with, and the question that explains it."""

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
    """Somebody else changed the rubric since it was opened; nothing was written. `queue` is as it stands now."""

    def __init__(self, queue: Queue) -> None:
        super().__init__("The rubric was changed meanwhile.")
        self.queue = queue


def text_of(queue: Queue) -> str:
    """All that the queue asks, as one JSON text."""
    asked = {name: getattr(queue, name) for name in ASKED}
    return canonical_json.dumps(asked | {"criteria": canonical_json.loads(queue.criteria)})


def start(queue: Queue, actor: User | str) -> None:
    """Keep what the queue asks under its present version, unless that is kept already."""
    Rubric.objects.get_or_create(
        queue=queue, version=queue.rubric_version, defaults={"text": text_of(queue), "made_by": get_actor_name(actor)}
    )


def save_rubric(wanted: Queue, actor: User | str, *, version: int) -> bool:
    """Ask what `wanted`, a queue that was checked, asks; False when that is what is asked already.

    Raises Outdated when the queue's rubric is no longer at `version`, ValidationError when its keys clash by now.
    """
    with transaction.atomic():
        now = Queue.objects.select_for_update(no_key=True).get(pk=wanted.pk)
        if now.rubric_version != version:
            raise StaleRubricError(now)
        if text_of(now) == text_of(wanted):
            return False
        # A queue of before there were rubrics has none yet, and its reviews were given under this one.
        start(now, "settings")
        changed = [name for name in ASKED if getattr(now, name) != getattr(wanted, name)]
        for name in changed:
            setattr(now, name, getattr(wanted, name))
        now.clean()
        now.rubric_version += 1
        now.save(update_fields=[*changed, "rubric_version"])
        start(now, actor)
        project = Project.objects.get(pk=now.project_id)
        record(project, actor, "changed rubric", f"queue:{now.slug}", version=now.rubric_version, changed=changed)
    wanted.rubric_version = now.rubric_version
    return True


def use_preset(queue: Queue, preset: Preset) -> None:
    """Put a preset's scale in place of the queue's; its question only where there is none."""
    queue.score_min, queue.score_max, queue.score_step = Decimal(preset.low), Decimal(preset.high), preset.step
    queue.question = queue.question or preset.question


def queue_at_version(queue: Queue, version: int) -> Queue:
    """The queue asking what it asked at this version; as it is where there was no such version."""
    rubric = None if version == queue.rubric_version else queue.rubrics.filter(version=version).first()
    return queue if rubric is None else _asking(queue, rubric)


def criteria_by_version(
    queues: Collection[Queue], versions: Collection[int]
) -> dict[tuple[int, int], tuple[Criterion, ...]]:
    """What these queues asked beside the score at these versions, by queue and version; one query."""
    by_number = {queue.pk: queue for queue in queues}
    # Where none is kept, nothing was ever changed.
    found = {(queue.pk, queue.rubric_version): queue.parsed_criteria for queue in queues}
    for rubric in Rubric.objects.filter(queue__in=by_number, version__in=versions):
        found[rubric.queue_id, rubric.version] = _asking(by_number[rubric.queue_id], rubric).parsed_criteria
    return found


def _asking(queue: Queue, rubric: Rubric) -> Queue:
    asked: dict[str, Any] = canonical_json.loads(rubric.text)
    asked["criteria"] = canonical_json.dumps(asked["criteria"])
    then = copy(queue)
    for name in ("score_min", "score_max", "score_step"):
        asked[name] = Decimal(str(asked[name]))
    for name in ASKED:
        setattr(then, name, asked[name])
    then.rubric_version = rubric.version
    return then
