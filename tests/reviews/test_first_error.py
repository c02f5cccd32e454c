"""The first error of a trace: marked beside a turn or a step, kept with the review, pushed under two keys."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from reviewapp.accounts.models import PersonalData, Project
from reviewapp.delivery.models import Patch
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric import answer_values, criteria, first_error
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Draft, Review
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.reader.steps import PAGE_SIZE
from tests.factories import SpanFactory, TraceFactory
from tests.queries import count_queries

FAIL = Criterion("fail", "First error", "first_error")
SPAN_ID = UUID("ffffffff-0000-0000-0000-0000000000aa")
STEP = f"step-{SPAN_ID}"
URL = "/p/support/items/{}/"


@pytest.fixture
def pointing_queue(queue: Queue) -> Queue:
    queue.criteria = criteria.dump_criteria([FAIL])
    queue.save(update_fields=["criteria"])
    return queue


@pytest.fixture
def pointing_item(pointing_queue: Queue, item: QueueItem) -> QueueItem:
    """An item of a queue that asks for the first error; its trace has one tool call named `search docs`."""
    project = pointing_queue.project
    trace = TraceFactory.create(project=project, trace_id=item.trace_id, spans_pulled_at="2026-11-22T10:00Z")
    SpanFactory.create(
        trace=trace, span_id=SPAN_ID, span_type="TOOL", name='search "docs"', input='{"q": "Oslo"}', output="no result"
    )
    return item


def submit(client: Client, item: QueueItem, mark: str, **fields: str) -> Any:
    return client.post(URL.format(item.pk), {"version": "0", "answer.fail": mark, "stay": "true", **fields})


def test_it_saves_and_pushes_the_marked_place(reviewer_client: Client, pointing_item: QueueItem) -> None:
    queue = pointing_item.queue
    queue.key_prefix = "qa_"
    queue.save()
    submit(reviewer_client, pointing_item, "turn-3 search_docs\r\nNo such order.\r\nTry again.")
    review, values = Review.objects.get(), Patch.objects.get().values
    quote = "No such order.\nTry again."
    assert review.criterion_answers == {"fail": {"at": "turn-3", "step": "search_docs", "quote": quote}}
    assert (values["qa_fail_step"], values["qa_fail_quote"]) == ("search_docs", quote)
    assert {"qa_fail_step", "qa_fail_quote"} <= queue.ever_pushed_keys


def test_it_pushes_null_for_a_mark_that_a_revision_removes(reviewer_client: Client, pointing_item: QueueItem) -> None:
    submit(reviewer_client, pointing_item, "turn-3 search_docs\nNo such order.")
    submit(reviewer_client, pointing_item, "", version="1", score="1")
    values = Patch.objects.get(reviews__revision=2).values
    assert (values["fail_step"], values["fail_quote"]) == (None, None)
    assert Review.objects.get(revision=1).criterion_answers["fail"]["step"] == "search_docs"


@pytest.mark.parametrize(
    ("mark", "error"),
    [
        ("turn-3 search\n" + "x" * 501, "has 501 characters. The maximum is 500"),
        ("turn-3", "is not readable"),
        ("turn-x search", "is not readable"),
        ("step-../../etc search", "is not readable"),
        ("turn-3 " + "x" * 2_001, "is not readable"),
        ("turn-3 a\x00b", "broken character"),
        ("turn-3 a\ud800", "broken character"),
        ("\n" * 1000, "is not readable"),
    ],
    ids=["quote", "no_name", "no_number", "path", "name", "nul", "surrogate", "blank"],
)
def test_it_refuses_a_mark(mark: str, error: str) -> None:
    if not mark.strip():
        assert answer_values.clean_answer(FAIL, [mark]) is None
        return
    with pytest.raises(ValidationError, match=error):
        answer_values.clean_answer(FAIL, [mark])


def test_it_keeps_a_quote_of_500_characters_whole(reviewer_client: Client, pointing_item: QueueItem) -> None:
    submit(reviewer_client, pointing_item, "turn-3 search\n" + "\N{REPLACEMENT CHARACTER}" * 500)
    assert len(Patch.objects.get().values["fail_quote"]) == 500


def test_it_shows_a_refused_mark_again(reviewer_client: Client, pointing_item: QueueItem) -> None:
    response = submit(reviewer_client, pointing_item, "turn-3 search\n" + "x" * 501)
    assert response.status_code == 422
    assert "x" * 501 in response.text
    assert not Review.objects.exists()


def test_it_writes_a_name_of_several_lines_on_one() -> None:
    assert first_error.format_field("turn-1", "a\n b\t c") == "turn-1 a b c"
    assert first_error.format_field("turn-1", " \n") == "turn-1 unnamed"


def test_it_has_a_button_beside_each_turn_and_step(reviewer_client: Client, pointing_item: QueueItem) -> None:
    url = URL.format(pointing_item.pk)
    transcript, steps = reviewer_client.get(url).text, reviewer_client.get(f"{url}?tab=steps").text
    assert 'name="mark" value="turn-2 search &quot;docs&quot;"' in transcript
    assert f'name="mark" value="{STEP} search &quot;docs&quot;"' in steps


def test_it_has_no_buttons_in_other_queues(reviewer_client: Client, pointing_item: QueueItem) -> None:
    Queue.objects.update(criteria="[]")
    assert 'name="mark"' not in reviewer_client.get(URL.format(pointing_item.pk)).text


@pytest.mark.parametrize(
    ("place", "address"), [("turn-1", "?turn=1#turn-1"), (STEP, f"?tab=steps&span={SPAN_ID}#{STEP}")]
)
def test_it_marks_without_javascript(
    reviewer_client: Client, pointing_item: QueueItem, place: str, address: str
) -> None:
    url = URL.format(pointing_item.pk)
    form_data = {"version": "0", "notes": "typed", "answer.fail": "", "mark": f"{place} search"}
    response = reviewer_client.post(f"{url}view/?tab=transcript", form_data)
    assert response["Location"] == url + address
    assert '"answer.fail": "' + place in Draft.objects.get().fields
    page = reviewer_client.get(response["Location"].partition("#")[0]).text
    assert 'aria-current="true">First error</button>' in page
    assert ">typed</textarea>" in page


def test_it_removes_the_mark_without_javascript(reviewer_client: Client, pointing_item: QueueItem) -> None:
    url = URL.format(pointing_item.pk)
    form_data = {"version": "0", "notes": "typed", "answer.fail": "turn-1 search", "mark": ""}
    response = reviewer_client.post(f"{url}view/?tab=steps", form_data)
    assert response["Location"] == f"{url}?tab=steps"
    assert '"answer.fail": ""' in Draft.objects.get().fields


def test_it_opens_the_page_of_steps_that_has_the_marked_one(reviewer_client: Client, pointing_item: QueueItem) -> None:
    span = Span.objects.get()
    earlier = span.start_time - timedelta(days=1)
    Span.objects.bulk_create(SpanFactory.build_batch(PAGE_SIZE, trace=span.trace, start_time=earlier))
    page = reviewer_client.get(f"{URL.format(pointing_item.pk)}?tab=steps&span={SPAN_ID}").text
    assert f'id="{STEP}"' in page


@pytest.mark.parametrize(
    ("decision", "step", "quote"),
    [("send", "search", "Mail a@example.org"), ("mask", "search", "Mail [e-mail address]"), ("keep", None, None)],
)
def test_it_checks_the_quote_for_personal_data(
    reviewer_client: Client, project: Project, pointing_item: QueueItem, decision: str, step: str, quote: str
) -> None:
    Project.objects.update(personal_data=PersonalData.REQUIRE)
    mark = "turn-1 search\nMail a@example.org"
    assert submit(reviewer_client, pointing_item, mark).status_code == 422
    submit(reviewer_client, pointing_item, mark, personal_data=decision)
    values = Patch.objects.get().values
    assert (values["fail_step"], values["fail_quote"]) == (step, quote)


def test_it_lists_and_exports_the_mark(lead_client: Client, pointing_item: QueueItem) -> None:
    submit(lead_client, pointing_item, "turn-3 search\n=1+1")
    page = lead_client.get("/p/support/queues/answers/reviews/").text
    assert "search (turn 3): “=1+1”" in page
    response = lead_client.get("/p/support/queues/answers/reviews.csv")
    header, line = b"".join(response).decode("utf-8-sig").splitlines()[:2]
    assert header.endswith("answer.fail_step,answer.fail_quote")
    assert line.endswith("search,'=1+1")


def test_it_puts_the_mark_back_when_the_review_is_undone(reviewer_client: Client, pointing_item: QueueItem) -> None:
    submit(reviewer_client, pointing_item, "turn-1 search\nno result")
    reviewer_client.post(f"{URL.format(pointing_item.pk)}undo/")
    page = reviewer_client.get(URL.format(pointing_item.pk)).text
    assert 'name="answer.fail" value="turn-1 search\nno result"' in page


def test_it_refuses_two_first_errors_and_keys_that_another_criterion_has() -> None:
    for others in ([Criterion("also", "Again", "first_error")], [Criterion("fail_step", "Step", "text")]):
        with pytest.raises(ValidationError):
            criteria.validate_criteria([FAIL, *others], {})


def test_it_opens_and_saves_with_no_more_queries(reviewer_client: Client, pointing_item: QueueItem) -> None:
    url = URL.format(pointing_item.pk)

    def count_open_and_save(version: int) -> tuple[int, int]:
        form_data = {"version": str(version), "score": str(version), "stay": "true"}
        opened = count_queries(lambda: reviewer_client.get(url))
        return opened, count_queries(lambda: reviewer_client.post(url, form_data))

    with_mark = count_open_and_save(0)
    Review.objects.all().delete()
    QueueItem.objects.update(version=0, state="pending")
    Trace.objects.update(review_count=0)
    Queue.objects.update(criteria="[]")
    assert count_open_and_save(0) == with_mark
