"""Reviews as CSV, JSONL and OpenTelemetry events, streamed line by line."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from reviewapp.insights.answer_columns import AnswerColumns, format_choices, load_criteria
from reviewapp.insights.datapoints import datapoint_lines
from reviewapp.insights.export_rows import LINE_SEPARATORS, ExportOptions, Row, read_rows
from reviewapp.lib import clock, csv_cells
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.models import Queue
from reviewapp.queues.rubric.answer_values import is_answered
from reviewapp.queues.rubric.criteria import Criterion
from reviewapp.reviews.models import Review

HEADER = [
    "item", "trace_id", "reference", "revision", "is_latest", "reviewer", "submitted_at", "undone_at",
    "score", "is_unsure", "needs_review", "notes", "delivery",
]  # fmt: skip
PERSON_HEADER = ["submitted_at", "score", "is_unsure", "needs_review", "notes"]
BYTE_ORDER_MARK = "\ufeff"
EVENT_NAME = "gen_ai.evaluation.result"
# OpenTelemetry's number of the severity INFO.
SEVERITY_INFO = 9


def csv_lines(reviews: QuerySet[Review], queue: Queue, options: ExportOptions) -> Iterator[str]:
    """CSV line by line; cells that a spreadsheet would run as a formula are escaped.

    After the built-in answers, each criterion has a column or several: see AnswerColumns. A line is a revision or, by
    item, an item with the latest answers of each reviewer side by side.
    """
    columns = AnswerColumns(load_criteria(queue), is_split=options.splits_choices)
    if options.has_bom:
        yield BYTE_ORDER_MARK
    yield from _item_lines(reviews, columns) if options.is_by_item else _revision_lines(reviews, columns)


def json_lines(reviews: QuerySet[Review]) -> Iterator[str]:
    """One JSON object for each revision, with the members that the API gives it; the answers are the stored text."""
    for row in read_rows(reviews):
        members = {
            "id": row.id, "item": row.item, "trace_id": str(row.trace_id), "reference": row.reference,
            "revision": row.revision, "is_latest": row.is_latest, "reviewer": row.reviewer,
            "submitted_at": clock.iso(row.submitted_at), "undone_at": _iso(row.undone_at),
            "score": None if row.score is None else json.loads(format_decimal(row.score)), "is_unsure": row.is_unsure,
            "needs_review": row.needs_review, "notes": row.notes, "rubric_version": row.rubric_version,
            "delivery": row.delivery,
        }  # fmt: skip
        text = json.dumps(members, ensure_ascii=False)
        yield f'{text[:-1]}, "answers": {row.answers}}}\n'.translate(LINE_SEPARATORS)


def event_lines(reviews: QuerySet[Review], queue: Queue) -> Iterator[str]:
    """One OTLP request in JSON for each revision, as the OpenTelemetry Collector reads them from a file.

    It has an event `gen_ai.evaluation.result` for each criterion with an answer, and for score and flag.
    """
    criteria = {criterion.key: criterion for criterion in reversed(load_criteria(queue))}
    resource = {"attributes": _list_attributes({"service.name": "review-desk"})}
    for row in read_rows(reviews):
        records = list(_event_records(row, queue, criteria))
        scopes = [{"scope": {"name": "review-desk"}, "logRecords": records}]
        request = {"resourceLogs": [{"resource": resource, "scopeLogs": scopes}]}
        yield f"{json.dumps(request, ensure_ascii=False)}\n".translate(LINE_SEPARATORS)


def _revision_lines(reviews: QuerySet[Review], columns: AnswerColumns) -> Iterator[str]:
    yield csv_cells.format_line([*HEADER, *columns.names])
    for row in read_rows(reviews):
        cells = [
            row.item, row.trace_id, csv_cells.escape_formula(row.reference), row.revision,
            "yes" if row.is_latest else "no", csv_cells.escape_formula(row.reviewer), clock.iso(row.submitted_at),
            _iso(row.undone_at) or "", *_built_in_cells(row), row.delivery,
        ]  # fmt: skip
        yield csv_cells.format_line([*cells, *columns.format_cells(row.parsed_answers)])


def _item_lines(reviews: QuerySet[Review], columns: AnswerColumns) -> Iterator[str]:
    latest = reviews.filter(is_latest=True)
    people = sorted(set(latest.order_by().values_list("reviewer__username", flat=True).distinct()))
    names = [csv_cells.escape_formula(f"{person}: {name}") for person in people for name in _person_names(columns)]
    yield csv_cells.format_line(["item", "trace_id", "reference", *names])
    empty = [""] * len(_person_names(columns))
    for item, rows in groupby(read_rows(latest), key=lambda row: row.item):
        by_person = {row.reviewer: row for row in rows}
        first = next(iter(by_person.values()))
        cells: list[object] = [item, first.trace_id, csv_cells.escape_formula(first.reference)]
        for person in people:
            row = by_person.get(person)
            cells += empty if row is None else _person_cells(row, columns)
        yield csv_cells.format_line(cells)


def _person_names(columns: AnswerColumns) -> Sequence[str]:
    return [*PERSON_HEADER, *columns.names]


def _person_cells(row: Row, columns: AnswerColumns) -> list[object]:
    return [clock.iso(row.submitted_at), *_built_in_cells(row), *columns.format_cells(row.parsed_answers)]


def _built_in_cells(row: Row) -> list[object]:
    return [
        "" if row.score is None else format_decimal(row.score),
        "true" if row.is_unsure else "false",
        "true" if row.needs_review else "false",
        csv_cells.escape_formula(row.notes),
    ]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else clock.iso(moment)


def _event_records(row: Row, queue: Queue, criteria: Mapping[str, Criterion]) -> Iterator[dict[str, Any]]:
    answers = row.parsed_answers
    reasons = {criterion.reason_for: answers.get(key) for key, criterion in criteria.items() if criterion.reason_for}
    evaluations: list[tuple[str, Mapping[str, Any]]] = []
    score = {} if row.score is None else {"score.value": float(row.score)}
    if score or row.is_unsure or row.notes:
        label = "unsure" if row.is_unsure else None
        evaluations.append(("score", {**score, "score.label": label, "explanation": row.notes}))
    evaluations.append(("needs_review", _describe_evaluation(None, row.needs_review, None)))
    for key, value in answers.items():
        criterion = criteria.get(key)
        if is_answered(value) and not (criterion and criterion.reason_for):
            evaluations.append((key, _describe_evaluation(criterion, value, reasons.get(key))))
    for name, parts in evaluations:
        attributes = {
            "gen_ai.evaluation.name": name,
            **{f"gen_ai.evaluation.{part}": value for part, value in parts.items() if value not in (None, "")},
            "review.reviewer": row.reviewer, "review.queue": queue.slug, "review.item": row.item,
            "review.revision": row.revision,
        }  # fmt: skip
        yield _build_record(row.trace_id, row.submitted_at, attributes)


def _describe_evaluation(criterion: Criterion | None, value: Any, reason: str | None) -> dict[str, Any]:
    """The score, label and explanation of one answer. A label has few values: what a person typed explains."""
    if isinstance(value, bool):
        return {"score.value": float(value), "score.label": "yes" if value else "no", "explanation": reason}
    if isinstance(value, (int, float)):
        return {"score.value": float(value), "explanation": reason}
    if isinstance(value, list):
        return {"score.label": format_choices(value), "explanation": reason}
    if isinstance(value, dict) and "at" in value:
        return {"score.label": value["step"], "explanation": value["quote"]}
    if isinstance(value, dict):
        return {"score.value": float(value["edits"]), "explanation": value.get("text")}
    if criterion is not None and criterion.kind == "text":
        return {"explanation": value}
    return {"score.label": str(value), "explanation": reason}


def _build_record(trace_id: UUID, moment: datetime, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "timeUnixNano": f"{round(moment.timestamp() * 1_000_000)}000",
        "severityNumber": SEVERITY_INFO,
        "eventName": EVENT_NAME,
        "traceId": trace_id.hex,
        "attributes": _list_attributes(attributes),
    }


def _list_attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _format_attribute(value)} for key, value in attributes.items()]


def _format_attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def build_lines(reviews: QuerySet[Review], queue: Queue, options: ExportOptions) -> Iterable[str]:
    """The lines of an export in the format of the options."""
    if options.format == "dataset":
        return datapoint_lines(reviews, queue)
    if options.is_latest_only:
        reviews = reviews.filter(is_latest=True)
    if options.format == "jsonl":
        return json_lines(reviews)
    return event_lines(reviews, queue) if options.format == "otel" else csv_lines(reviews, queue, options)
