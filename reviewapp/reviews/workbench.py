"""Everything the workbench shows of an item, loaded once."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import QueryDict
from django.urls import reverse

from reviewapp.accounts.models import User
from reviewapp.lib import sql
from reviewapp.lib.newlines import normalise_newlines
from reviewapp.lib.numbers import parse_int
from reviewapp.queues import assignments, claiming
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.queues.models.assignment import Assignment
from reviewapp.queues.progress import Progress, queue_progress
from reviewapp.queues.rubric import versions
from reviewapp.reviews import drafts, marking
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.models import Draft, Review
from reviewapp.reviews.rail import Rail, open_rail
from reviewapp.reviews.submitting import select_latest
from reviewapp.traces import queries as trace_queries
from reviewapp.traces.models import Trace
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader


@dataclass(frozen=True, slots=True)
class Workbench:
    """An item opened by a person."""

    reader: TraceReader
    review: Review | None
    form: ReviewForm
    draft: Draft | None
    progress: Progress
    rail: Rail
    # As `claiming.get_version`.
    version: int
    is_readonly: bool
    # Whether only others are to review it, and the person's open assignment.
    is_reserved: bool
    assignment: Assignment | None


def is_taken_by_colleague(queue: Queue, pk: int, user: User) -> bool:
    """Whether somebody else has claimed this item of the queue, or has reviewed it last."""
    item = QueueItem.objects.filter(queue=queue, pk=pk).first()
    if item is None:
        return False
    item.queue = queue
    if item.is_claimed_by_other(user):
        return True
    others_reviews = Review.objects.filter(item=item, is_latest=True).exclude(reviewer=user)
    return item.state != ItemState.PENDING and others_reviews.exists()


def open_workbench(item: QueueItem, user: User, query: Mapping[str, str], form: ReviewForm | None = None) -> Workbench:
    """Load the workbench; `query` selects what to show of the trace, `form` is a submitted form to show again."""
    url = reverse("reviews:item-reading", args=[item.queue.project.slug, item.pk])
    review = get_latest_review(item, user)
    version = claiming.get_version(item, user)
    reader = open_item_reader(item, query, url)
    draft = drafts.get_draft(item, user) if form is None else None
    progress = queue_progress(item.queue)
    form = form or _open_form(item, version, review, draft, _original_text(item.queue, reader))
    reader.mark_buttons = marking.make_buttons(item, reader.tab, form.marked_place)
    is_reserved = item.state == ItemState.PENDING and assignments.is_reserved(item, user)
    # One's own review can be changed while a colleague works on theirs.
    has_own_review = item.has_several_reviewers and review is not None
    return Workbench(
        reader=reader,
        review=review,
        form=form,
        draft=draft,
        progress=progress,
        rail=open_rail(item, user, progress.total),
        version=version,
        is_readonly=(is_reserved or item.is_claimed_by_other(user)) and not has_own_review,
        is_reserved=is_reserved,
        assignment=assignments.get_own(item, user),
    )


def bind_form(item: QueueItem, form_data: QueryDict) -> ReviewForm:
    """The submitted form, bound to the rubric under which it was opened; the current one if it names none.

    If it names one that was never stored, the form is bound to the current one and is not valid.
    """
    version = parse_int(form_data.get("rubric", str(item.queue.rubric_version)), max_value=2**31 - 1) or 0
    rubric = versions.queue_at_version(item.queue, version)
    original = _original_text(rubric, open_reader(get_trace(item), {}, "")) if _has_correction(rubric) else ""
    return ReviewForm(rubric, form_data, original=original, has_rubric=rubric.rubric_version == version)


def get_latest_review(item: QueueItem, user: User) -> Review | None:
    """The review that this person's form changes, with its reviewer and its patch: see `select_latest`.

    None for somebody else's unsure answer, which asks for this person's own.
    """
    if item.version == 0:
        return None
    latest = select_latest(item, user).select_related("reviewer", "patch").first()
    is_hidden = latest is not None and latest.is_unsure and latest.reviewer_id != user.pk and item.queue.is_blind
    return None if is_hidden else latest


def open_item_reader(item: QueueItem, query: Mapping[str, str], url: str) -> TraceReader:
    """The item's trace for judging: the metadata that reviews pushed, in any queue, is hidden above the trace."""
    trace = get_trace(item)
    queues = Queue.objects.filter(project=trace.project) if trace.review_count else []
    reader = open_reader(trace, query, url, {key for queue in queues for key in queue.ever_pushed_keys})
    reader.mark_buttons = marking.make_buttons(item, reader.tab)
    return reader


def get_trace(item: QueueItem) -> Trace:
    """The item's trace in the mirror; an unsaved, empty one while it is not pulled yet."""
    project = item.queue.project
    trace = sql.fetch_first(Trace, trace_queries.TRACE_BY_ID, project.pk, item.trace_id) or Trace(
        project=project, trace_id=item.trace_id
    )
    trace.project = project
    return trace


def _open_form(item: QueueItem, version: int, review: Review | None, draft: Draft | None, original: str) -> ReviewForm:
    """The form with the review's answers, overridden by the person's draft; a field the draft lacks was empty."""
    form = ReviewForm.for_review(item.queue, version, review, original)
    if draft is not None:
        values = {
            name: value if isinstance(value, list) else [value] for name, value in drafts.parse_fields(draft).items()
        }
        # As in a submitted form: a field that was sent twice has its last value, and the page shows the others.
        form.initial.update({name: values.get(name, [""])[-1] for name in form.fields if name != "version"})
        form.initial["draft_values"] = values
    return form


def _has_correction(rubric: Queue) -> bool:
    """Whether the rubric asks to correct the trace's answer."""
    return any(criterion.kind == "correction" for criterion in rubric.parsed_criteria)


def _original_text(rubric: Queue, reader: TraceReader) -> str:
    """The trace's final answer if the rubric asks to correct it; otherwise empty, without reading the trace."""
    if not _has_correction(rubric):
        return ""
    return normalise_newlines(reader.answer).strip()
