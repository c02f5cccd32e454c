"""Answers to a queue's criteria: in the form, saved with the review, pushed to Laminar."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.delivery.models import Patch
from reviewapp.queues.access import get_item_or_404
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric import answer_values, criteria, versions
from reviewapp.queues.rubric.criteria import Criterion, Option
from reviewapp.queues.rubric.option_keys import OPTION_LETTERS
from reviewapp.reviews.forms import UNKNOWN_RUBRIC, ReviewForm
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import StaleReviewError, submit
from reviewapp.reviews.workbench import bind_form
from tests.factories import SpanFactory, TraceFactory
from tests.queries import count_queries

FAULTS = Criterion(
    "faults", "What went wrong", "choices", options=(Option("invented", "Not in the data."), Option("late"))
)
BETTER = Criterion("better", "A better answer", "correction")
TAGS = Criterion("tags", "Tags", "tags")
RIGHT = Criterion("right", "Is it right?", "yes_no", is_required=True)


def set_criteria(queue: Queue, *rubric_criteria: Criterion) -> Queue:
    queue.criteria = criteria.dump_criteria(rubric_criteria)
    queue.save(update_fields=["criteria"])
    return queue


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/"


@pytest.fixture
def answered_item(item: QueueItem) -> QueueItem:
    """An item whose trace answers “Paris.”"""
    trace = TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, spans_pulled_at="2026-11-22T10:00Z")
    SpanFactory.create(trace=trace)
    return item


def post(client: Client, item: QueueItem, **fields: Any) -> Any:
    """Submit the form; `answer_x` is the field of the criterion x."""
    form_data = {name.replace("answer_", "answer."): value for name, value in fields.items()}
    return client.post(url(item), {"version": "0", **form_data})


def test_it_shows_each_criterion_down_to_its_options(reviewer_client: Client, item: QueueItem) -> None:
    item.queue.guideline = "Be **strict** <script>"
    item.queue.save()
    set_criteria(item.queue, FAULTS, TAGS)
    page = reviewer_client.get(url(item)).text
    assert 'data-criterion="faults"' in page
    assert "Not in the data." in page
    assert "<strong>strict</strong> &lt;script&gt;" in page


def test_it_saves_and_pushes_the_answers(reviewer_client: Client, item: QueueItem) -> None:
    item.queue.key_prefix = "qa."
    item.queue.save()
    set_criteria(item.queue, FAULTS, RIGHT, TAGS)
    post(reviewer_client, item, answer_faults=["late", "invented"], answer_right="no", answer_tags="slow, wrong")
    review, patch = Review.objects.get(), Patch.objects.get()
    assert review.criterion_answers == {"faults": ["invented", "late"], "right": False, "tags": ["slow", "wrong"]}
    assert (patch.values["qa.faults"], patch.values["qa.right"]) == (["invented", "late"], False)
    assert (patch.tag_names, "qa.tags" in patch.values) == (["slow", "wrong"], False)


def test_it_pushes_a_cleared_answer_as_null(item: QueueItem, reviewer: User) -> None:
    set_criteria(item.queue, FAULTS, BETTER)
    correction = {"edits": 1, "from": "a", "text": "b"}
    submit(item, reviewer, Answers(None, "", False, {"faults": ["late"], "better": correction}), version=0)
    submit(item, reviewer, Answers(None, "", False, {"faults": None, "better": None}), version=1)
    values = Patch.objects.latest("pk").values
    assert (values["faults"], values["better"], values["better_edits"]) == (None, None, None)


def test_it_refuses_invalid_answers_and_shows_all_of_them_again(
    reviewer_client: Client, answered_item: QueueItem
) -> None:
    set_criteria(answered_item.queue, FAULTS, BETTER, TAGS, RIGHT)
    response = post(
        reviewer_client, answered_item, answer_faults="late", answer_better="Paris <it> is.", answer_tags="x" * 61
    )
    assert response.status_code == 422
    assert 'value="late" checked' in response.text
    assert "Paris &lt;it&gt; is.</textarea>" in response.text
    assert "<del>Paris.</del><ins>Paris &lt;it&gt; is.</ins>" in response.text
    assert "x" * 61 in response.text
    assert "An answer is required." in response.text
    assert set(response.context["workbench"].form.criterion_errors) == {"tags", "right"}


def test_it_opens_a_correction_with_the_traces_answer(reviewer_client: Client, answered_item: QueueItem) -> None:
    set_criteria(answered_item.queue, BETTER)
    assert "\nParis.</textarea>" in reviewer_client.get(url(answered_item)).text


def test_it_treats_an_unchanged_correction_as_no_answer(reviewer_client: Client, answered_item: QueueItem) -> None:
    set_criteria(answered_item.queue, BETTER)
    response = post(reviewer_client, answered_item, answer_better="Paris.")
    assert response.status_code == 422
    assert "You have not answered anything yet" in response.text
    post(reviewer_client, answered_item, answer_better="Paris.", score="1")
    assert Patch.objects.get().values["better_edits"] == 0


def test_it_opens_with_the_answers_of_the_last_revision(reviewer_client: Client, answered_item: QueueItem) -> None:
    set_criteria(answered_item.queue, FAULTS, BETTER)
    post(reviewer_client, answered_item, answer_faults="invented", answer_better="It is Paris.")
    page = reviewer_client.get(url(answered_item)).text
    assert 'value="invented" checked' in page
    assert "\nIt is Paris.</textarea>" in page
    assert "<ins>It is</ins>" in page


def test_it_returns_the_same_review_when_the_answers_are_sent_again(item: QueueItem, reviewer: User) -> None:
    set_criteria(item.queue, FAULTS)
    answers = Answers(Decimal(1), "", False, {"faults": ["late"]})
    first = submit(item, reviewer, answers, version=0)
    assert submit(item, reviewer, answers, version=0) == first
    with pytest.raises(StaleReviewError):
        submit(item, reviewer, Answers(Decimal(1), "", False, {"faults": None}), version=0)


def test_it_shows_both_answers_on_a_conflict(
    reviewer_client: Client, colleague_client: Client, item: QueueItem
) -> None:
    set_criteria(item.queue, FAULTS, TAGS)
    post(colleague_client, item, answer_tags="theirs")
    response = post(reviewer_client, item, answer_tags="mine", answer_faults="late")
    assert response.status_code == 409
    assert "<dt>Tags</dt><dd>theirs</dd>" in response.text
    assert 'value="mine"' in response.text
    assert 'value="late" checked' in response.text


def test_it_reads_a_form_under_the_rubric_it_was_opened_on(
    reviewer_client: Client, item: QueueItem, lead: User
) -> None:
    queue = set_criteria(item.queue, FAULTS)
    queue.criteria = criteria.dump_criteria([RIGHT])
    versions.save_rubric(queue, lead, version=1)
    post(reviewer_client, item, answer_faults="late", rubric="1")
    assert (Review.objects.get().rubric_version, Review.objects.get().criterion_answers) == (1, {"faults": ["late"]})
    assert Patch.objects.get().values["faults"] == ["late"]


def test_it_shows_a_refused_form_under_the_rubric_it_was_opened_on(
    reviewer_client: Client, item: QueueItem, lead: User
) -> None:
    queue = set_criteria(item.queue, FAULTS)
    queue.criteria = criteria.dump_criteria([RIGHT])
    versions.save_rubric(queue, lead, version=1)
    response = post(reviewer_client, item, answer_faults="late", score="7", rubric="1")
    assert response.status_code == 422
    assert 'name="rubric" value="1"' in response.text
    assert 'value="late" checked' in response.text
    assert 'data-criterion="right"' not in response.text


def test_it_does_not_change_the_queue_of_the_item(item: QueueItem, lead: User) -> None:
    queue = set_criteria(item.queue, FAULTS)
    queue.criteria = criteria.dump_criteria([RIGHT])
    versions.save_rubric(queue, lead, version=1)
    loaded_item = get_item_or_404(queue.project, item.pk)
    form = bind_form(loaded_item, QueryDict("version=0&rubric=1"))
    assert (form.rubric.rubric_version, loaded_item.queue.rubric_version) == (1, 2)
    assert [criterion.key for criterion in loaded_item.queue.parsed_criteria] == ["right"]


def test_it_shows_answers_under_the_labels_of_their_rubric(
    reviewer_client: Client, lead_client: Client, item: QueueItem, lead: User
) -> None:
    queue = set_criteria(item.queue, FAULTS)
    post(reviewer_client, item, answer_faults="late")
    queue.criteria = criteria.dump_criteria([Criterion("faults", "Another name", "text")])
    versions.save_rubric(queue, lead, version=1)
    for path in (f"/p/support/traces/{item.trace_id}/reviews/", "/p/support/queues/answers/reviews/"):
        page = lead_client.get(path).text
        assert "<dt>What went wrong</dt>" in page
        assert "Another name" not in page


def test_it_shows_the_diff_of_a_correction_in_the_history(reviewer_client: Client, answered_item: QueueItem) -> None:
    set_criteria(answered_item.queue, BETTER)
    post(reviewer_client, answered_item, answer_better="Paris, France.")
    page = reviewer_client.get(f"/p/support/traces/{answered_item.trace_id}/reviews/").text
    assert "<del>Paris.</del><ins>Paris, France.</ins>" in page


def test_it_needs_no_more_queries_for_more_criteria(reviewer_client: Client, answered_item: QueueItem) -> None:
    without_criteria = count_queries(lambda: reviewer_client.get(url(answered_item)))
    set_criteria(answered_item.queue, FAULTS, BETTER, TAGS, RIGHT)
    assert count_queries(lambda: reviewer_client.get(url(answered_item))) == without_criteria


def test_it_refuses_two_answers_to_a_yes_no_question() -> None:
    queue = Queue(criteria=criteria.dump_criteria([RIGHT]))
    form = ReviewForm(queue, QueryDict("version=0&answer.right=yes&answer.right=no"))
    assert not form.is_valid()
    assert "More than one answer" in form.criterion_rows[0].error


def test_it_exports_a_column_for_each_criterion(reviewer_client: Client, lead_client: Client, item: QueueItem) -> None:
    set_criteria(item.queue, FAULTS, RIGHT, TAGS)
    post(reviewer_client, item, answer_right="yes", answer_tags="=1+1, b")
    response = lead_client.get("/p/support/queues/answers/reviews.csv")
    lines = response.getvalue().decode().splitlines()
    assert lines[0].endswith(",answer.faults,answer.right,answer.tags")
    assert lines[1].endswith(""",,yes,"[""=1+1"", ""b""]\"""")


def test_it_shows_the_diff_of_a_correction_while_it_is_typed(reviewer_client: Client, answered_item: QueueItem) -> None:
    set_criteria(answered_item.queue, BETTER)
    diff = partial(reviewer_client.post, f"{url(answered_item)}diff/?key=better")
    assert diff({"answer.better": "It is Paris."}).text == "<ins>It is</ins> Paris."
    assert diff({"answer.better": "Paris."}).text == ""
    assert reviewer_client.post(f"{url(answered_item)}diff/?key=nothing").text == ""


@pytest.mark.parametrize("rubric", ["99", "", "0", "x"])
def test_it_refuses_an_unknown_version_of_the_rubric_and_keeps_the_answers(
    reviewer_client: Client, item: QueueItem, rubric: str
) -> None:
    response = post(reviewer_client, item, rubric=rubric, notes="mine", answer_gone="typed here")
    assert response.status_code == 422
    assert UNKNOWN_RUBRIC in response.text
    assert "mine</textarea>" in response.text
    assert "typed here" in response.text
    assert not Review.objects.exists()


@pytest.mark.parametrize("name", ["score[]", "score.a", "answer.", "answer.gone", "Notes"])
def test_it_refuses_a_field_of_no_question_and_shows_its_text(
    reviewer_client: Client, item: QueueItem, name: str
) -> None:
    response = reviewer_client.post(url(item), {"version": "0", "notes": "mine", name: "typed here"})
    assert response.status_code == 422
    assert f"The field “{name}” belongs to no question" in response.text
    assert "typed here" in response.text
    assert not Review.objects.exists()


def test_it_ignores_an_empty_field_of_no_question(reviewer_client: Client, item: QueueItem) -> None:
    assert reviewer_client.post(url(item), {"version": "0", "notes": "mine", "other": " "}).status_code == 302


@pytest.mark.parametrize("name", ["notes", "client_id", "rubric", "stay"])
def test_it_refuses_a_repeated_field(reviewer_client: Client, item: QueueItem, name: str) -> None:
    response = reviewer_client.post(url(item), {"version": "0", "notes": "mine", name: ["1", "1"]})
    assert response.status_code == 422
    assert f"The field “{name}” was sent twice." in response.text


def test_it_shows_the_draft_of_a_question_that_is_gone(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(f"{url(item)}draft/", {"version": "0", "answer.gone": "typed here"})
    assert "typed here" in reviewer_client.get(url(item)).text


@pytest.mark.parametrize("newline", ["\r", "\r\n", "\n"])
def test_it_knows_an_untouched_answer_by_any_line_end(newline: str) -> None:
    assert answer_values.clean_answer(BETTER, ["It is\r\nParis."], f"It is{newline}Paris.") == answer_values.UNCHANGED


def test_it_refuses_a_broken_character_that_the_answer_did_not_have() -> None:
    assert answer_values.clean_answer(BETTER, ["�"], "�") == answer_values.UNCHANGED
    for criterion, text in ((BETTER, "� �"), (TAGS, "a�")):
        with pytest.raises(ValidationError, match="broken character"):
            answer_values.clean_answer(criterion, [text], "�" if criterion is BETTER else "")


def test_it_pushes_the_reason_for_an_answer_under_its_own_key(reviewer_client: Client, item: QueueItem) -> None:
    set_criteria(item.queue, Criterion("right", "Is it right?", "yes_no", asks_reason=True))
    post(reviewer_client, item, answer_right="no", answer_right_reason="The date is of last year.")

    assert Patch.objects.get().values["right_reason"] == "The date is of last year."
    assert Review.objects.get().criterion_answers == {"right": False, "right_reason": "The date is of last year."}


def test_it_gives_no_letter_to_two_options(reviewer_client: Client, item: QueueItem) -> None:
    more = tuple(Option(f"better {number}") for number in range(12))
    set_criteria(item.queue, FAULTS, Criterion("more", "More", "choices", options=more))
    rows = reviewer_client.get(url(item)).context["workbench"].form.criterion_rows
    letters = [option.key for row in rows for option in row.options if option.key]

    assert sorted(letters) == sorted(OPTION_LETTERS)
