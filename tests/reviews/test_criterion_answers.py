"""Answers to a queue's criteria: asked on the page, kept with the review, pushed with it."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric import criteria, versions
from reviewapp.queues.rubric.criteria import Criterion, Option
from reviewapp.reviews.forms import ReviewForm
from reviewapp.reviews.models import Review
from reviewapp.reviews.submitting import Answers, StaleReviewError, submit
from reviewapp.reviews.workbench import form_sent, item_of
from tests.factories import SpanFactory, TraceFactory
from tests.queries import count_queries

FAULTS = Criterion(
    "faults", "What went wrong", "choices", options=(Option("invented", "Not in the data."), Option("late"))
)
BETTER = Criterion("better", "A better answer", "correction")
TAGS = Criterion("tags", "Tags", "tags")
RIGHT = Criterion("right", "Is it right?", "yes_no", is_required=True)


def ask(queue: Queue, *asked: Criterion) -> Queue:
    queue.criteria = criteria.dump_criteria(asked)
    queue.save(update_fields=["criteria"])
    return queue


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


@pytest.fixture
def answered_item(item: QueueItem) -> QueueItem:
    """Its trace answers “Paris.”"""
    trace = TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, spans_pulled_at="2026-11-22T10:00Z")
    SpanFactory.create(trace=trace)
    return item


def post(client: Client, item: QueueItem, **fields: Any) -> Any:
    named = {name.replace("answer_", "answer."): value for name, value in fields.items()}
    return client.post(url(item), {"version": "0", **named})


def test_it_shows_each_criterion_down_to_its_options(reviewer_client: Client, item: QueueItem) -> None:
    item.queue.guideline = "Be **strict** <script>"
    item.queue.save()
    ask(item.queue, FAULTS, TAGS)
    page = reviewer_client.get(url(item)).text
    assert 'data-criterion="faults"' in page
    assert "Not in the data." in page
    assert "<strong>strict</strong> &lt;script&gt;" in page


def test_it_keeps_and_pushes_the_answers(reviewer_client: Client, item: QueueItem) -> None:
    item.queue.key_prefix = "qa."
    item.queue.save()
    ask(item.queue, FAULTS, RIGHT, TAGS)
    post(reviewer_client, item, answer_faults=["late", "invented"], answer_right="no", answer_tags="slow, wrong")
    review, patch = Review.objects.get(), Patch.objects.get()
    assert review.criterion_answers == {"faults": ["invented", "late"], "right": False, "tags": ["slow", "wrong"]}
    assert (patch.values["qa.faults"], patch.values["qa.right"]) == (["invented", "late"], False)
    assert (patch.tag_names, "qa.tags" in patch.values) == (["slow", "wrong"], False)


def test_it_sends_an_emptied_answer_as_null(item: QueueItem, reviewer: User) -> None:
    ask(item.queue, FAULTS, BETTER)
    better = {"edits": 1, "from": "a", "text": "b"}
    submit(item, reviewer, Answers(None, "", False, {"faults": ["late"], "better": better}), version=0)
    submit(item, reviewer, Answers(None, "", False, {"faults": None, "better": None}), version=1)
    values = Patch.objects.latest("pk").values
    assert (values["faults"], values["better"], values["better_edits"]) == (None, None, None)


def test_it_keeps_everything_typed_when_it_refuses(reviewer_client: Client, answered_item: QueueItem) -> None:
    ask(answered_item.queue, FAULTS, BETTER, TAGS, RIGHT)
    answer = post(
        reviewer_client, answered_item, answer_faults="late", answer_better="Paris <it> is.", answer_tags="x" * 61
    )
    assert answer.status_code == 422
    assert 'value="late" checked' in answer.text
    assert "Paris &lt;it&gt; is.</textarea>" in answer.text
    assert "<del>Paris.</del><ins>Paris &lt;it&gt; is.</ins>" in answer.text
    assert "x" * 61 in answer.text
    assert "This has to be answered." in answer.text


def test_it_opens_a_correction_with_the_traces_answer(reviewer_client: Client, answered_item: QueueItem) -> None:
    ask(answered_item.queue, BETTER)
    assert "\nParis.</textarea>" in reviewer_client.get(url(answered_item)).text


def test_it_takes_an_untouched_correction_for_no_answer(reviewer_client: Client, answered_item: QueueItem) -> None:
    ask(answered_item.queue, BETTER)
    answer = post(reviewer_client, answered_item, answer_better="Paris.")
    assert "Nothing is answered yet" in answer.text
    post(reviewer_client, answered_item, answer_better="Paris.", score="1")
    assert Patch.objects.get().values["better_edits"] == 0


def test_it_opens_with_the_last_revisions_answers(reviewer_client: Client, answered_item: QueueItem) -> None:
    ask(answered_item.queue, FAULTS, BETTER)
    post(reviewer_client, answered_item, answer_faults="invented", answer_better="It is Paris.")
    page = reviewer_client.get(url(answered_item)).text
    assert 'value="invented" checked' in page
    assert "\nIt is Paris.</textarea>" in page
    assert "<ins>It is</ins>" in page


def test_it_takes_the_same_answers_again_as_the_same_review(item: QueueItem, reviewer: User) -> None:
    ask(item.queue, FAULTS)
    late = Answers(Decimal(1), "", False, {"faults": ["late"]})
    first = submit(item, reviewer, late, version=0)
    assert submit(item, reviewer, late, version=0) == first
    with pytest.raises(StaleReviewError):
        submit(item, reviewer, Answers(Decimal(1), "", False, {"faults": None}), version=0)


def test_it_shows_both_answers_on_a_conflict(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    ask(item.queue, FAULTS, TAGS)
    post(colleague_client, item, answer_tags="theirs")
    answer = post(reviewer_client, item, answer_tags="mine", answer_faults="late")
    assert answer.status_code == 409
    assert "<dt>Tags</dt><dd>theirs</dd>" in answer.text
    assert 'value="mine"' in answer.text
    assert 'value="late" checked' in answer.text


def test_it_reads_a_form_under_the_rubric_it_was_opened_on(
    reviewer_client: Client, item: QueueItem, lead: User
) -> None:
    queue = ask(item.queue, FAULTS)
    queue.criteria = criteria.dump_criteria([RIGHT])
    versions.save_rubric(queue, lead, version=1)
    post(reviewer_client, item, answer_faults="late", rubric="1")
    assert (Review.objects.get().rubric_version, Review.objects.get().criterion_answers) == (1, {"faults": ["late"]})
    assert Patch.objects.get().values["faults"] == ["late"]


def test_it_shows_a_refused_form_under_the_rubric_it_was_opened_on(
    reviewer_client: Client, item: QueueItem, lead: User
) -> None:
    queue = ask(item.queue, FAULTS)
    queue.criteria = criteria.dump_criteria([RIGHT])
    versions.save_rubric(queue, lead, version=1)
    page = post(reviewer_client, item, answer_faults="late", score="7", rubric="1")
    assert page.status_code == 422
    assert 'name="rubric" value="1"' in page.text
    assert 'value="late" checked' in page.text
    assert 'data-criterion="right"' not in page.text


def test_it_leaves_the_items_queue_as_loaded(item: QueueItem, lead: User) -> None:
    queue = ask(item.queue, FAULTS)
    queue.criteria = criteria.dump_criteria([RIGHT])
    versions.save_rubric(queue, lead, version=1)
    loaded = item_of(queue.project, item.pk)
    form = form_sent(loaded, QueryDict("version=0&rubric=1"))
    assert (form.rubric.rubric_version, loaded.queue.rubric_version) == (1, 2)
    assert [criterion.key for criterion in loaded.queue.parsed_criteria] == ["right"]


def test_it_tells_answers_under_the_labels_of_their_rubric(
    reviewer_client: Client, lead_client: Client, item: QueueItem, lead: User
) -> None:
    queue = ask(item.queue, FAULTS)
    post(reviewer_client, item, answer_faults="late")
    queue.criteria = criteria.dump_criteria([Criterion("faults", "Another name", "text")])
    versions.save_rubric(queue, lead, version=1)
    for page in (f"/p/support/traces/{item.trace_id}/reviews/", "/p/support/queues/answers/reviews/"):
        shown = lead_client.get(page).text
        assert "<dt>What went wrong</dt>" in shown
        assert "Another name" not in shown


def test_it_shows_a_corrections_diff_in_the_history(reviewer_client: Client, answered_item: QueueItem) -> None:
    ask(answered_item.queue, BETTER)
    post(reviewer_client, answered_item, answer_better="Paris, France.")
    page = reviewer_client.get(f"/p/support/traces/{answered_item.trace_id}/reviews/").text
    assert "<del>Paris.</del><ins>Paris, France.</ins>" in page


def test_it_asks_the_database_no_more_for_criteria(reviewer_client: Client, answered_item: QueueItem) -> None:
    without = count_queries(lambda: reviewer_client.get(url(answered_item)))
    ask(answered_item.queue, FAULTS, BETTER, TAGS, RIGHT)
    assert count_queries(lambda: reviewer_client.get(url(answered_item))) == without


def test_it_takes_one_answer_where_one_is_asked() -> None:
    queue = Queue(criteria=criteria.dump_criteria([RIGHT]))
    form = ReviewForm(queue, QueryDict("version=0&answer.right=yes&answer.right=no"))
    assert not form.is_valid()
    assert "More than one answer" in form.criterion_rows[0].error


def test_it_writes_a_column_for_each_criterion(reviewer_client: Client, lead_client: Client, item: QueueItem) -> None:
    ask(item.queue, FAULTS, RIGHT, TAGS)
    post(reviewer_client, item, answer_right="yes", answer_tags="=1+1, b")
    lines = b"".join(lead_client.get("/p/support/queues/answers/reviews.csv").streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0].endswith(",answer.faults,answer.right,answer.tags")
    assert lines[1].endswith(""",,yes,"'=1+1, b\"""")


def test_it_tells_what_a_correction_changes_while_it_is_typed(
    reviewer_client: Client, answered_item: QueueItem
) -> None:
    ask(answered_item.queue, BETTER)
    diff = partial(reviewer_client.post, f"{url(answered_item)}diff/?key=better")
    assert diff({"answer.better": "It is Paris."}).text == "<ins>It is</ins> Paris."
    assert diff({"answer.better": "Paris."}).text == ""
    assert reviewer_client.post(f"{url(answered_item)}diff/?key=nothing").text == ""
