"""Reviewed items as datapoints of a Laminar dataset: `data`, `target` and `metadata`."""

import json
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby, islice
from typing import Any
from uuid import UUID, uuid5

from django.db.models import QuerySet

from reviewapp.insights.export_rows import LINE_SEPARATORS, Row, read_rows
from reviewapp.lib import canonical_json
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.models import ItemState, Queue
from reviewapp.reviews.models import Review
from reviewapp.traces.models import Span

# Items whose traces are read at once: a span has up to some MB of text.
BATCH_ITEMS = 20
# Names our datapoints among all others: an item that is pushed again replaces its own datapoint.
_NAMESPACE = UUID("6f0e2f4c-2f8e-4c55-9f0b-6a1f2c2b9d3e")


def datapoint_lines(reviews: QuerySet[Review], queue: Queue) -> Iterator[str]:
    """One datapoint for each completed item of the reviews, as JSON lines."""
    for datapoint in read_datapoints(reviews, queue):
        yield f"{json.dumps(datapoint, ensure_ascii=False)}\n".translate(LINE_SEPARATORS)


def read_datapoints(reviews: QuerySet[Review], queue: Queue) -> Iterator[dict[str, Any]]:
    """A datapoint for each completed item of the reviews, in the order of the items.

    `data` is what the traced application got and gave, the `input` and `output` of the trace's top span, as JSON if
    they are JSON and null if the trace is not here. `target` is what people say about it: the latest review's answers,
    which are what is pushed to the trace. Every other reviewer's are in `metadata.reviews`.
    """
    latest = reviews.filter(is_latest=True, item__state=ItemState.COMPLETED)
    by_item = (list(rows) for _, rows in groupby(read_rows(latest), key=lambda row: row.item))
    while batch := list(islice(by_item, BATCH_ITEMS)):
        texts = _read_top_spans(queue.project_id, {rows[0].trace_id for rows in batch})
        for rows in batch:
            yield _build_datapoint(queue, rows, texts.get(rows[0].trace_id, ("", "")))


def _read_top_spans(project_id: int, trace_ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """Input and output of each trace's top span: the first without a parent."""
    spans = Span.objects.filter(trace__project=project_id, trace__trace_id__in=trace_ids, parent_span_id=None)
    # The first one is the last to be put in.
    rows = spans.order_by("-start_time", "-pk").values_list("trace__trace_id", "input", "output")
    return {trace_id: (text_in, text_out) for trace_id, text_in, text_out in rows}


def _build_datapoint(queue: Queue, rows: Iterable[Row], texts: tuple[str, str]) -> dict[str, Any]:
    *others, newest = sorted(rows, key=lambda row: row.revision)
    metadata: dict[str, Any] = {
        "trace_id": str(newest.trace_id), "queue": queue.slug, "item": newest.item, "reviewer": newest.reviewer,
        "rubric_version": newest.rubric_version,
    }  # fmt: skip
    if newest.reference:
        metadata["reference"] = newest.reference
    if others:
        metadata["reviews"] = [{"reviewer": row.reviewer, **_describe_answers(row)} for row in others]
    return {
        "id": str(uuid5(_NAMESPACE, f"{queue.project_id}/{newest.item}")),
        "data": {"input": _parse_text(texts[0]), "output": _parse_text(texts[1])},
        "target": _describe_answers(newest),
        "metadata": metadata,
    }


def _describe_answers(row: Row) -> dict[str, Any]:
    return {
        "score": None if row.score is None else json.loads(format_decimal(row.score)),
        "is_unsure": row.is_unsure,
        "needs_review": row.needs_review,
        "notes": row.notes,
        "answers": row.parsed_answers,
    }


def _parse_text(text: str) -> Any:
    """A span's text as JSON if it is JSON, else as it is; None for an empty one."""
    try:
        return canonical_json.parse(text) if text else None
    except canonical_json.InvalidJSONError:
        return text
