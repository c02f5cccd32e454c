"""Everything the reviewer's screen shows of an item, gathered once."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import Http404, QueryDict
from django.urls import reverse

from reviewapp.accounts.models import Project, User
from reviewapp.lib import sql
from reviewapp.lib.numbers import parse_int
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.progress import Progress, queue_progress
from reviewapp.queues.rubric import versions
from reviewapp.reviews import drafts
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.models import Draft, Review
from reviewapp.reviews.rail import Segment, load_rail, queue_position
from reviewapp.traces.models import Trace
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader

# Every page of the workbench asks these; see reviewapp.lib.sql for why they are written out.
_ITEM = """
    SELECT i.* FROM reviewapp_queueitem i JOIN reviewapp_queue q ON q.id = i.queue_id
    WHERE q.project_id = %s AND i.id = %s
"""
_QUEUE = "SELECT * FROM reviewapp_queue WHERE id = %s"
_TRACE = "SELECT * FROM reviewapp_trace WHERE project_id = %s AND trace_id = %s"


@dataclass(frozen=True, slots=True)
class Workbench:
    """An item opened by a person."""

    item: QueueItem
    reading: TraceReader
    review: Review | None
    form: ReviewForm
    draft: Draft | None
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
        here = next(n for n, segment in enumerate(self.rail) if segment.is_current)
        return self.rail[here + step].pk if 0 <= here + step < len(self.rail) else None


def item_of(project: Project, pk: int) -> QueueItem:
    """The project's item with this number, its queue at hand. Raises Http404."""
    item = sql.fetch_first(QueueItem, _ITEM, project.pk, pk)
    if item is None:
        raise Http404("There is no such item in this project.")
    item.queue = sql.fetch_objects(Queue, _QUEUE, item.queue_id)[0]
    item.queue.project = project
    return item


def open_item(item: QueueItem, user: User, query: Mapping[str, str], form: ReviewForm | None = None) -> Workbench:
    """What the screen needs for this item; `query` says what to show of its trace, `form` is one that was refused."""
    url = reverse("reviews:item-reading", args=[item.queue.project.slug, item.pk])
    review = latest_of(item)
    reading = reading_for(item, query, url)
    draft = drafts.get_draft(item, user) if form is None else None
    return Workbench(
        item=item,
        reading=reading,
        review=review,
        form=form or _opened(item, review, draft, original_of(item.queue, reading)),
        draft=draft,
        progress=queue_progress(item.queue),
        position=queue_position(item),
        rail=load_rail(item, user),
        is_readonly=item.is_claimed_by_other(user),
    )


def _opened(item: QueueItem, review: Review | None, draft: Draft | None, original: str) -> ReviewForm:
    """The form with the person's draft over the answers given before; a field the draft lacks was left empty."""
    form = ReviewForm.on(item.queue, item.version, review, original)
    if draft is not None:
        typed = drafts.parse_fields(draft)
        form.initial.update({name: typed.get(name, "") for name in form.fields if name != "version"})
        form.initial["drafted"] = {name: value if isinstance(value, list) else [value] for name, value in typed.items()}
    return form


def asks_correction(rubric: Queue) -> bool:
    """Whether the rubric asks to correct the trace's answer."""
    return any(criterion.kind == "correction" for criterion in rubric.parsed_criteria)


def original_of(rubric: Queue, reading: TraceReader) -> str:
    """The trace's final answer if the rubric asks to correct it; otherwise empty, without reading the trace."""
    if not asks_correction(rubric):
        return ""
    return reading.answer.replace("\r\n", "\n").strip()


def form_sent(item: QueueItem, data: QueryDict) -> ReviewForm:
    """The submitted form, bound to the rubric under which it was opened; the current one if it names none."""
    rubric_version = parse_int(data.get("rubric"), max_value=2**31 - 1) or item.queue.rubric_version
    rubric = versions.queue_at_version(item.queue, rubric_version)
    original = original_of(rubric, open_reader(trace_of(item), {}, "")) if asks_correction(rubric) else ""
    return ReviewForm(rubric, data, original=original)


def latest_of(item: QueueItem) -> Review | None:
    """The item's newest revision with its author and its patch."""
    if item.version == 0:
        return None
    return Review.objects.select_related("reviewer", "patch").filter(item=item, is_latest=True).first()


def reading_for(item: QueueItem, query: Mapping[str, str], url: str) -> TraceReader:
    """The item's trace to be judged: what reviews said of it, here or in another queue, does not stand above it."""
    trace = trace_of(item)
    queues = Queue.objects.filter(project=trace.project) if trace.review_count else []
    return open_reader(trace, query, url, {key for queue in queues for key in queue.ever_pushed_keys})


def trace_of(item: QueueItem) -> Trace:
    """The item's trace in the mirror; an empty one to show while it has not come."""
    project = item.queue.project
    trace = sql.fetch_first(Trace, _TRACE, project.pk, item.trace_id) or Trace(project=project, trace_id=item.trace_id)
    trace.project = project
    return trace
