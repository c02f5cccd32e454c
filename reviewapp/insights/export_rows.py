"""What an export takes of each review: plain rows from a server-side cursor, in flat memory."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict

from reviewapp.reviews.models import Review

# Rows that the database hands over at once: a review has up to some hundred KB of text.
CHUNK_ROWS = 200
# Characters that are sent at once; a line can be longer.
CHUNK_CHARACTERS = 64 * 1024
# Characters that JSON allows in a text and that many programs take for the end of a line.
LINE_SEPARATORS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}
FORMATS = {
    "csv": "CSV, for spreadsheets",
    "jsonl": "JSONL, every answer exactly as it was given",
    "dataset": "JSONL in the shape of a Laminar dataset: data, target, metadata",
    "otel": "OpenTelemetry events gen_ai.evaluation.result, as OTLP JSON lines",
}


class Row(NamedTuple):
    """One revision. Its answers are JSON text."""

    id: int
    item: int
    trace_id: UUID
    reference: str
    revision: int
    is_latest: bool
    reviewer: str
    submitted_at: datetime
    undone_at: datetime | None
    score: Decimal | None
    is_unsure: bool
    needs_review: bool
    notes: str
    answers: str
    rubric_version: int
    patch_state: str | None

    @property
    def parsed_answers(self) -> dict[str, Any]:
        answers: dict[str, Any] = {} if self.answers == "{}" else json.loads(self.answers)
        return answers

    @property
    def delivery(self) -> str:
        return self.patch_state or "not pushed"


COLUMNS = (
    "pk", "item_id", "item__trace_id", "item__reference", "revision", "is_latest", "reviewer__username",
    "submitted_at", "undone_at", "score", "is_unsure", "needs_review", "notes", "answers", "rubric_version",
    "patch__state",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How reviews are exported, as in the form; unknown values are ignored."""

    format: str = "csv"
    is_latest_only: bool = False
    has_bom: bool = False
    splits_choices: bool = False
    is_by_item: bool = False

    @classmethod
    def parse(cls, query: QueryDict, default_format: str = "csv") -> "ExportOptions":
        file_format = query.get("format", default_format)
        return cls(
            file_format if file_format in FORMATS else default_format,
            is_latest_only=query.get("revisions", "all") == "latest",
            has_bom=query.get("bom", "") == "yes",
            splits_choices=query.get("choices", "list") == "columns",
            is_by_item=query.get("rows", "revisions") == "items",
        )


def read_rows(reviews: QuerySet[Review]) -> Iterator[Row]:
    """The reviews' rows by item and revision."""
    # Without model instances: they cost three times as much as all else.
    in_order = reviews.select_related(None).order_by("item_id", "revision").values_list(*COLUMNS)
    return map(Row._make, in_order.iterator(chunk_size=CHUNK_ROWS))


def join_lines(lines: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that are worth sending."""
    pending, length = [], 0
    for line in lines:
        pending.append(line)
        length += len(line)
        if length >= CHUNK_CHARACTERS:
            yield "".join(pending)
            pending, length = [], 0
    if pending:
        yield "".join(pending)
