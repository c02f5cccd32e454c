"""The formats and options of an export: columns for options and people, JSONL, datapoints, OpenTelemetry events."""

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from reviewapp.accounts.models import User
from reviewapp.insights.export_rows import CHUNK_CHARACTERS, join_lines
from reviewapp.lib import canonical_json
from reviewapp.queues.models import ItemState, Queue, Rubric
from reviewapp.queues.models.upload import UploadState
from reviewapp.queues.rubric.criteria import Criterion, Option, dump_criteria
from reviewapp.queues.uploads import lifecycle
from reviewapp.queues.uploads.receiving import receive
from reviewapp.queues.uploads.runner import process_uploads
from reviewapp.reviews.models import Review
from tests.factories import QueueFactory, ReviewFactory, SpanFactory, TraceFactory
from tests.queries import count_queries

URL = "/p/support/queues/answers/export/file/"
FAULTS = Criterion("faults", "Faults", "choices", options=(Option("a, b"), Option("=late")), asks_reason=True)
TONE = Criterion("tone", "Tone", "choice", options=(Option("kind"), Option("rude")))
TAGS = Criterion("tags", "Tags", "tags")
RIGHT = Criterion("right", "Right", "yes_no")
BETTER = Criterion("better", "Better", "correction")
FAIL = Criterion("fail", "First error", "first_error")
ANSWERS: dict[str, Any] = {
    "faults": ["a, b"], "faults_reason": "It was late.", "tone": "kind", "tags": ["x, y", "z"], "right": True,
    "better": {"edits": 2, "from": "Rome.", "text": "It is Paris."},
    "fail": {"at": "turn-3", "step": "search", "quote": "no result"},
}  # fmt: skip

Export = Callable[..., str]


@pytest.fixture
def queue(queue: Queue) -> Queue:
    queue.criteria = dump_criteria([FAULTS, TONE, TAGS, RIGHT, BETTER, FAIL])
    queue.save()
    return queue


@pytest.fixture
def export(lead_client: Client) -> Export:
    def get_text(**query: str) -> str:
        text: str = lead_client.get(URL, query).getvalue().decode()
        return text

    return get_text


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline="")))


def add_review(queue: Queue, **fields: Any) -> Review:
    fields.setdefault("answers", canonical_json.dumps(ANSWERS))
    return ReviewFactory.create(**({} if "item" in fields else {"item__queue": queue}), **fields)


def test_it_has_a_column_for_each_option(queue: Queue, export: Export) -> None:
    add_review(queue)
    (row,) = read_csv(export(choices="columns"))
    assert (row["answer.faults[a, b]"], row["answer.faults[=late]"]) == ("yes", "no")
    assert "answer.faults" not in row


def test_it_leaves_the_columns_of_options_empty_without_an_answer(queue: Queue, export: Export) -> None:
    add_review(queue, answers="{}")
    (row,) = read_csv(export(choices="columns"))
    assert (row["answer.faults[a, b]"], row["answer.faults[=late]"]) == ("", "")


@pytest.mark.parametrize("choices", ["columns", "list"])
def test_it_writes_free_tags_as_a_list(queue: Queue, export: Export, choices: str) -> None:
    add_review(queue)
    (row,) = read_csv(export(choices=choices))
    assert json.loads(row["answer.tags"]) == ["x, y", "z"]


def test_it_exports_answers_to_criteria_of_an_older_rubric(queue: Queue, export: Export) -> None:
    old = Criterion("faults", "Faults", "choices", options=(Option("gone"),))
    gone = Criterion("removed", "Removed", "text")
    fields = {"question": "", "guideline": "", "score_min": 0, "score_max": 1, "score_step": 1}
    text = canonical_json.dumps(fields | {"criteria": json.loads(dump_criteria([old, gone]))})
    Rubric.objects.create(queue=queue, version=1, text=text, made_by="lead")
    Queue.objects.update(rubric_version=2)
    add_review(queue, answers='{"faults":["gone"],"removed":"still here"}')
    (row,) = read_csv(export(choices="columns"))
    assert (row["answer.faults[gone]"], row["answer.faults[a, b]"], row["answer.removed"]) == (
        "yes",
        "no",
        "still here",
    )


def test_it_exports_an_answer_whose_criterion_became_one_of_another_kind(queue: Queue, export: Export) -> None:
    fields = {"question": "", "guideline": "", "score_min": 0, "score_max": 1, "score_step": 1}
    text = canonical_json.dumps(fields | {"criteria": json.loads(dump_criteria([Criterion("fail", "Fail", "text")]))})
    Rubric.objects.create(queue=queue, version=1, text=text, made_by="lead")
    Queue.objects.update(rubric_version=2)
    add_review(queue, answers='{"fail":"in the search"}')
    add_review(queue)
    first, second = read_csv(export())
    assert (first["answer.fail"], first["answer.fail_step"]) == ("in the search", "")
    assert (second["answer.fail"], second["answer.fail_step"]) == ("", "search")


def test_it_puts_reviewers_side_by_side(queue: Queue, reviewer: User, colleague: User, export: Export) -> None:
    first = add_review(queue, reviewer=reviewer, score="1", item__reference="=1")
    add_review(queue, item=first.item, reviewer=colleague, revision=2, patch=None, score="0.5", notes="=2")
    add_review(queue, reviewer=colleague, score="0")
    rows = read_csv(export(rows="items"))
    assert [(row["reviewer: score"], row["colleague: score"]) for row in rows] == [("1", "0.5"), ("", "0")]
    assert (rows[0]["reference"], rows[0]["colleague: notes"]) == ("'=1", "'=2")
    assert rows[1]["colleague: answer.tone"] == "kind"


def test_it_exports_the_latest_revisions_only(queue: Queue, reviewer: User, export: Export) -> None:
    old = add_review(queue, reviewer=reviewer, is_latest=False)
    add_review(queue, item=old.item, reviewer=reviewer, revision=2, patch=None)
    assert [row["revision"] for row in read_csv(export(revisions="latest"))] == ["2"]


def test_it_begins_with_a_byte_order_mark_for_excel(queue: Queue, export: Export) -> None:
    assert export(bom="yes").startswith("\ufeffitem,")
    assert export().startswith("item,")


def test_it_writes_answers_exactly_as_given(queue: Queue, export: Export) -> None:
    stored = '{"faults":["a, b"],"number":1.50,"odd":"a\u2028b"}'
    add_review(queue, answers=stored, score="0.50", notes="one\u2028line")
    (line,) = export(format="jsonl").splitlines()
    assert '"number":1.50' in line
    assert json.loads(line)["answers"]["odd"] == "a\u2028b"
    assert (json.loads(line)["score"], json.loads(line)["notes"]) == (0.5, "one\u2028line")


def test_it_writes_datapoints_of_completed_items(queue: Queue, reviewer: User, export: Export) -> None:
    review = add_review(queue, reviewer=reviewer, score="0.5", notes="Late.")
    add_review(queue, item__state=ItemState.PENDING)
    trace = TraceFactory.create(project=queue.project, trace_id=review.item.trace_id)
    SpanFactory.create(trace=trace, input='{"q":1}', output="Paris.")
    SpanFactory.create(trace=trace, parent_span_id=UUID(int=1), input="inner")
    (datapoint,) = map(json.loads, export(format="dataset").splitlines())
    assert datapoint["data"] == {"input": {"q": 1}, "output": "Paris."}
    assert datapoint["target"] == {
        "score": 0.5, "is_unsure": False, "needs_review": False, "notes": "Late.", "answers": ANSWERS,
    }  # fmt: skip
    assert datapoint["metadata"] == {
        "trace_id": str(review.item.trace_id), "queue": "answers", "item": review.item_id, "reviewer": "reviewer",
        "rubric_version": 1,
    }  # fmt: skip


def test_it_writes_the_answers_of_other_reviewers_beside_the_latest(
    queue: Queue, reviewer: User, colleague: User, export: Export
) -> None:
    first = add_review(queue, reviewer=reviewer, score="1")
    add_review(queue, item=first.item, reviewer=colleague, revision=2, patch=None, score="0")
    (datapoint,) = map(json.loads, export(format="dataset").splitlines())
    assert (datapoint["target"]["score"], datapoint["metadata"]["reviewer"]) == (0, "colleague")
    assert [(each["reviewer"], each["score"]) for each in datapoint["metadata"]["reviews"]] == [("reviewer", 1)]


def read_events(text: str) -> list[Any]:
    """The log records, read by OpenTelemetry's own schema."""
    requests = [json_format.Parse(line, ExportLogsServiceRequest()) for line in text.splitlines()]
    return [record for request in requests for record in request.resource_logs[0].scope_logs[0].log_records]


def get_attributes(record: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in record.attributes}


def test_it_writes_an_event_for_each_criterion(queue: Queue, reviewer: User, export: Export) -> None:
    add_review(queue, reviewer=reviewer, score="0.5", notes="Late.")
    records = read_events(export(format="otel"))
    assert {record.event_name for record in records} == {"gen_ai.evaluation.result"}
    prefix, parts = "gen_ai.evaluation.", {}
    for attributes in map(get_attributes, records):
        names = ("score.value", "score.label", "explanation")
        parts[attributes[f"{prefix}name"]] = tuple(attributes.get(prefix + name) for name in names)
    assert parts == {
        "score": (0.5, None, "Late."), "needs_review": (0.0, "no", None), "faults": (None, '["a, b"]', "It was late."),
        "tone": (None, "kind", None), "tags": (None, '["x, y", "z"]', None), "right": (1.0, "yes", None),
        "better": (2.0, None, "It is Paris."), "fail": (None, "search", "no result"),
    }  # fmt: skip


def test_it_writes_the_trace_id_and_the_time_of_an_event(queue: Queue, export: Export) -> None:
    review = add_review(queue, answers="{}")
    line = json.loads(export(format="otel").splitlines()[0])
    record = line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert record["traceId"] == review.item.trace_id.hex
    assert int(record["timeUnixNano"]) // 1_000 == round(review.submitted_at.timestamp() * 1_000_000)


def test_it_labels_an_unsure_answer(queue: Queue, export: Export) -> None:
    add_review(queue, score=None, is_unsure=True, notes="Hm.", answers="{}")
    attributes = get_attributes(read_events(export(format="otel"))[0])
    assert attributes["gen_ai.evaluation.score.label"] == "unsure"
    assert attributes["gen_ai.evaluation.explanation"] == "Hm."


@pytest.mark.parametrize(
    "query", [{}, {"bom": "yes", "choices": "columns"}, {"rows": "items"}, {"format": "jsonl"}], ids=str
)
def test_it_is_read_by_our_own_import(queue: Queue, reviewer: User, export: Export, query: dict[str, str]) -> None:
    reviews = [add_review(queue, reviewer=reviewer, item__reference=text) for text in ("=1+1", "order, 17")]
    target = QueueFactory.create(project=queue.project)
    upload, _ = receive(target, "lead", "reviews", [export(**query).encode()])
    lifecycle.start(upload, "lead", UploadState.ADDING)
    while process_uploads():
        pass
    items = target.items.order_by("pk").values_list("trace_id", "reference")
    assert list(items) == [(review.item.trace_id, review.item.reference) for review in reviews]


@pytest.mark.parametrize("name", ["csv", "jsonl", "otel", "dataset"])
def test_it_needs_no_more_queries_for_more_reviews(queue: Queue, export: Export, name: str) -> None:
    add_review(queue)
    query_count = count_queries(lambda: export(format=name))
    for _ in range(15):
        add_review(queue)
    assert count_queries(lambda: export(format=name)) == query_count


def test_it_sends_text_in_large_pieces() -> None:
    lines = ["x" * 100] * 2_000
    pieces = list(join_lines(lines))
    assert "".join(pieces) == "".join(lines)
    assert len(pieces) == 4
    assert max(map(len, pieces)) < CHUNK_CHARACTERS + 100


def test_its_page_keeps_the_filter_of_the_list(queue: Queue, reviewer: User, lead_client: Client) -> None:
    add_review(queue, reviewer=reviewer, score=Decimal(1))
    add_review(queue)
    page = lead_client.get("/p/support/queues/answers/export/?reviewer=reviewer&page=2").text
    assert 'name="reviewer" value="reviewer"' in page
    assert 'name="page"' not in page
    assert "1 latest review matches the filter" in page
