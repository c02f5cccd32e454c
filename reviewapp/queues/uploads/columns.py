"""Which column of a file is what: guessed from its first lines, confirmed by a person; and a record's entry."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from reviewapp.lib import canonical_json, csv_cells, trace_ids
from reviewapp.lib.local_time import parse_due_time
from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.queues.adding import Entry
from reviewapp.queues.models.upload import Upload
from reviewapp.queues.uploads.records import Record, read_lines, read_records

PREVIEW_LINES = 20
MAX_COLUMNS = 200
MAX_PRIORITY = 1_000_000
MAX_LENGTHS = {"reason": 300, "reference": 200}
FIELD_LABELS = {
    "trace_id": "Trace id", "reference": "Reference", "reason": "Reason", "priority": "Priority", "due_at": "Due date",
}  # fmt: skip
# Headers, without case, blanks and signs, that name a field.
_HEADERS = {
    "trace_id": ("traceid", "trace", "laminartraceid", "lmnrtraceid", "tracelink", "link", "url", "id"),
    "reference": ("reference", "ref", "externalid", "order", "ticket", "case"),
    "reason": ("reason", "why", "comment", "note"),
    "priority": ("priority", "prio", "importance"),
    "due_at": ("dueat", "due", "duedate", "deadline"),
}


class UnreadableFileError(ValueError):
    """The file as a whole cannot be read; the message is a sentence."""


class RowError(ValueError):
    """A record cannot be added; the message says what is wrong and what to do."""


@dataclass(slots=True)
class Layout:
    """The file's format, its columns by name, and which of them (by position) holds each field, None for none.

    `start` is the byte after the header, 0 without one.
    """

    kind: str
    columns: list[str]
    fields: dict[str, int | None] = field(default_factory=dict)
    delimiter: str = ","
    start: int = 0
    start_line: int = 0

    FIELDS: ClassVar[Sequence[str]] = tuple(FIELD_LABELS)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def choices(self) -> list[tuple[int, str]]:
        """Each column with its name as a person can tell it from others of the same name."""
        return [
            (number, f"{name or 'no name'} (column {number + 1})" if self.columns.count(name) > 1 or not name else name)
            for number, name in enumerate(self.columns)
        ]

    @property
    def repeated(self) -> list[str]:
        """The names of several columns."""
        return sorted({name for name in self.columns if name and self.columns.count(name) > 1})


def load_layout(upload: Upload) -> Layout:
    return Layout(**upload.parsed_layout)


def guess_layout(upload: Upload) -> Layout:
    """Guess a stored file's format and columns from its first lines. Raises UnreadableFileError."""
    first = next((line for line in read_lines(upload, 0) if line.text is None or line.text.strip()), None)
    if first is None:
        raise UnreadableFileError("The file is empty. Nothing was added.")
    if first.text is None:
        raise UnreadableFileError(
            "The first line of the file is longer than 256 KB, so its columns cannot be read. Nothing was added."
            " Check that the file has line breaks."
        )
    text = first.text.lstrip()
    if text.startswith("["):
        raise UnreadableFileError(
            "The file is a JSON array. Nothing was added. Save it as JSONL: one object in each line, no brackets."
        )
    return _guess_json(upload) if text.startswith("{") else _guess_csv(upload, text)


def preview_rows(upload: Upload, layout: Layout) -> list[tuple[int, list[str], str]]:
    """The first lines after the header: the number of each, its cells, and what is wrong with it."""
    records = read_records(upload, layout.kind, layout.delimiter, layout.start, layout.start_line)
    rows = []
    for record in islice(records, PREVIEW_LINES):
        cells = [to_storable_text(shorten(_get_text(record, layout, n), 80)) for n in range(len(layout.columns))]
        try:
            read_entry(record, layout)
            rows.append((record.line, cells, ""))
        except RowError as error:
            rows.append((record.line, cells, str(error)))
    return rows


def read_entry(record: Record, layout: Layout, defaults: Upload | None = None) -> Entry:
    """What a record adds; what it leaves empty is taken from `defaults`. Raises RowError."""
    if record.problem:
        raise RowError(record.problem)
    values = {
        name: "" if position is None else _get_cell(record, layout, position)
        for name, position in layout.fields.items()
    }
    try:
        trace_id = trace_ids.parse_link(values["trace_id"])
    except trace_ids.InvalidTraceIdError as error:
        empty = "The line has no trace id. Fill it in, or choose another column for it."
        raise RowError(str(error) if values["trace_id"].strip() else empty) from None
    for name, limit in MAX_LENGTHS.items():
        _check_text(name, values[name], limit)
    return Entry(
        trace_id,
        reason=values["reason"] or (defaults.reason if defaults else ""),
        reference=values["reference"],
        priority=_parse_priority(values["priority"], defaults.priority if defaults else 0),
        due_at=_parse_due(values["due_at"], defaults.due_at if defaults else None),
    )


def _get_cell(record: Record, layout: Layout, position: int) -> str:
    text = _get_text(record, layout, position).strip()
    if layout.kind == Upload.Kind.CSV and text.startswith(csv_cells.PREFIX):
        # Our own exports put a quote before what a spreadsheet would run as a formula.
        plain = csv_cells.unescape_formula(text)
        return plain if csv_cells.escape_formula(plain) == text else text
    return text


def _get_text(record: Record, layout: Layout, position: int) -> str:
    if isinstance(record.cells, Mapping):
        value = record.cells.get(layout.columns[position])
        return value if isinstance(value, str) else "" if value is None else canonical_json.dumps(value)
    cells = record.cells or []
    return cells[position] if position < len(cells) else ""


def _check_text(name: str, text: str, limit: int) -> None:
    """Raises RowError."""
    if len(text) > limit:
        raise RowError(f"The {name} has {len(text):,} characters; the limit is {limit}. Shorten it.")
    if "\0" in text:
        raise RowError(f"The {name} contains a character that cannot be stored (NUL). Remove it.")
    if to_storable_text(text) != text:
        raise RowError(f"The {name} contains half a character. Correct it.")


def _parse_priority(text: str, default: int) -> int:
    """Raises RowError."""
    if not text:
        return default
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 7 and int(digits) <= MAX_PRIORITY:
        return int(text)
    raise RowError(f"The priority must be a whole number from {-MAX_PRIORITY:,} to {MAX_PRIORITY:,}.")


def _parse_due(text: str, default: datetime | None) -> datetime | None:
    """Raises RowError."""
    if not text:
        return default
    due_at = parse_due_time(text)
    if due_at is None:
        raise RowError(
            f"“{to_storable_text(shorten(text, 40))}” is not a date. Write it as 2026-12-31 or 2026-12-31T17:30."
        )
    return due_at


def _guess_json(upload: Upload) -> Layout:
    names: dict[str, None] = {}
    for record in islice(read_records(upload, Upload.Kind.JSONL, "", 0, 0), PREVIEW_LINES):
        if isinstance(record.cells, dict):
            names.update(dict.fromkeys(record.cells))
    columns = list(names)[:MAX_COLUMNS]
    return Layout(Upload.Kind.JSONL, columns, _guess_fields(columns))


def _guess_csv(upload: Upload, first_line: str) -> Layout:
    delimiter = max(",;\t|", key=first_line.count)
    delimiter = delimiter if delimiter in first_line else ","
    header = next(read_records(upload, Upload.Kind.CSV, delimiter, 0, 0), None)
    if header is None or not isinstance(header.cells, list):
        problem = header.problem if header else ""
        raise UnreadableFileError(f"The first line of the file cannot be read. {problem} Nothing was added.")
    if len(header.cells) > MAX_COLUMNS:
        raise UnreadableFileError(f"The file has {len(header.cells):,} columns; the limit is {MAX_COLUMNS}.")
    ids = [_is_trace_id(cell) for cell in header.cells]
    if any(ids):
        columns = [f"Column {number}" for number in range(1, len(ids) + 1)]
        fields: dict[str, int | None] = dict.fromkeys(FIELD_LABELS)
        fields |= {"trace_id": ids.index(True), "reference": 1 if ids == [True, False] else None}
        return Layout(Upload.Kind.CSV, columns, fields, delimiter)
    columns = [to_storable_text(shorten(cell.strip(), 80)) for cell in header.cells]
    return Layout(Upload.Kind.CSV, columns, _guess_fields(columns), delimiter, header.end, header.end_line)


def _guess_fields(columns: Sequence[str]) -> dict[str, int | None]:
    plain = ["".join(char for char in name.casefold() if char.isalnum()) for name in columns]
    fields: dict[str, int | None] = {}
    for name, headers in _HEADERS.items():
        fields[name] = next((plain.index(header) for header in headers if header in plain), None)
    return fields


def _is_trace_id(cell: str) -> bool:
    try:
        trace_ids.parse_link(cell)
    except trace_ids.InvalidTraceIdError:
        return False
    return True
