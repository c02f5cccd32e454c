"""Everything the reviewer's screen shows of an item, gathered once."""

from dataclasses import dataclass

from django.db.models import Q
from django.http import Http404

from reviewapp.accounts.models import Project, User
from reviewapp.lib import clock
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.progress import Progress, progress_of
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.models import Review
from reviewapp.traces.models import Trace
from reviewapp.traces.reading import Reading, reading_of

# The rail shows the neighbourhood of a long queue, not its thousands.
RAIL = 24


@dataclass(frozen=True, slots=True)
class Segment:
    """One item on the rail."""

    pk: int
    look: str
    is_here: bool

    @property
    def words(self) -> str:
        return self.look.replace("-", " ")


@dataclass(frozen=True, slots=True)
class Workbench:
    """An item opened by a person."""

    item: QueueItem
    queue: Queue
    reading: Reading
    review: Review | None
    form: ReviewForm
    progress: Progress
    position: int
    rail: list[Segment]
    is_readonly: bool

    @property
    def previous(self) -> int | None:
        return self._neighbour(-1)

    @property
    def following(self) -> int | None:
        return self._neighbour(1)

    def _neighbour(self, step: int) -> int | None:
        here = next(n for n, segment in enumerate(self.rail) if segment.is_here)
        return self.rail[here + step].pk if 0 <= here + step < len(self.rail) else None


def item_of(project: Project, pk: int) -> QueueItem:
    """The project's item with this number, its queue at hand. Raises Http404."""
    item = QueueItem.objects.select_related("queue").filter(pk=pk, queue__project=project).first()
    if item is None:
        raise Http404("There is no such item in this project.")
    item.queue.project = project
    return item


def open_item(item: QueueItem, user: User, tab: str | None, form: ReviewForm | None = None) -> Workbench:
    """What the screen needs for this item; `form` is the one that was refused, if one was."""
    review = latest_of(item)
    return Workbench(
        item=item,
        queue=item.queue,
        reading=reading_of(trace_of(item), tab),
        review=review,
        form=form or ReviewForm.on(item.queue, item.version, review),
        progress=progress_of(item.queue),
        position=1 + QueueItem.objects.filter(_before(item), queue=item.queue).count(),
        rail=_rail(item, user),
        is_readonly=item.is_claimed_by_other(user),
    )


def latest_of(item: QueueItem) -> Review | None:
    """The item's newest revision with its author and its patch."""
    return Review.objects.select_related("reviewer", "patch").filter(item=item, is_latest=True).first()


def trace_of(item: QueueItem) -> Trace:
    """The item's trace in the mirror; an empty one to show while it has not come."""
    project = item.queue.project
    trace = Trace.objects.filter(project=project, trace_id=item.trace_id).first()
    trace = trace or Trace(project=project, trace_id=item.trace_id)
    trace.project = project
    return trace


def _before(item: QueueItem) -> Q:
    return Q(priority__gt=item.priority) | Q(priority=item.priority, pk__lt=item.pk)


def _after(item: QueueItem) -> Q:
    return Q(priority__lt=item.priority) | Q(priority=item.priority, pk__gt=item.pk)


def _rail(item: QueueItem, user: User) -> list[Segment]:
    around = QueueItem.objects.filter(queue=item.queue_id)
    fields = ("pk", "state", "claimed_by_id", "claimed_until")
    before = around.filter(_before(item)).order_by("priority", "-pk").values_list(*fields)[:RAIL]
    after = around.filter(_after(item)).in_order().values_list(*fields)[:RAIL]
    here = (item.pk, item.state, item.claimed_by_id, item.claimed_until)
    rows = [*reversed(before), here, *after]
    reviewed = [pk for pk, state, _, _ in rows if state == ItemState.COMPLETED]
    flagged = (
        Review.objects.filter(item__in=reviewed, is_latest=True, needs_review=True)
        if reviewed
        else Review.objects.none()
    )
    flags = set(flagged.values_list("item_id", flat=True))
    now = clock.now()
    return [
        Segment(
            pk,
            _look(state, pk in flags, holder not in (None, user.pk) and until is not None and until > now),
            pk == item.pk,
        )
        for pk, state, holder, until in rows
    ]


def _look(state: str, is_flagged: bool, is_with_others: bool) -> str:
    if state == ItemState.COMPLETED:
        return "flagged" if is_flagged else "reviewed"
    if state == ItemState.SKIPPED:
        return "skipped"
    return "with-others" if is_with_others else "to-come"
