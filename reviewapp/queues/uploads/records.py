"""Read a stored file line by line, record by record, from any position, in flat memory."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from reviewapp.lib import canonical_json
from reviewapp.lib.shortening import shorten
from reviewapp.queues.models.upload import Upload, UploadChunk

# Bytes of a line, and of a record of several lines.
MAX_RECORD_BYTES = 256 * 1024
# After so many lines with errors, all lines of a record without its closing quotation mark are passed over.
MAX_REREADS = 1_000


class Line(NamedTuple):
    """A line with its line feed, None if it is too long; and its size in bytes."""

    text: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `cells` by position (CSV) or by key (JSONL), or the `problem` that keeps it from being read.

    It begins at `line`, counted from 1; what follows begins at the byte `end`, after `end_line` lines.
    """

    line: int
    end: int
    end_line: int
    cells: list[str] | dict[str, Any] | None = None
    problem: str = ""


class _RecordTooLongError(ValueError):
    """A record is longer than MAX_RECORD_BYTES."""


class _LineFeeder:
    """Hands lines to the CSV reader and counts them."""

    def __init__(self, lines: Iterator[Line], position: int, line: int) -> None:
        self._lines = lines
        self.position, self.line = position, line
        self.begin()

    def begin(self) -> None:
        """Begin a record."""
        self.start_line, self.first_end, self._size = self.line + 1, 0, 0

    def __iter__(self) -> "_LineFeeder":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.position += line.size
        self.line += 1
        self._size += line.size
        self.first_end = self.first_end or self.position
        if line.text is None or self._size > MAX_RECORD_BYTES:
            raise _RecordTooLongError
        return line.text


def read_lines(upload: Upload, position: int) -> Iterator[Line]:
    """Yield the lines that begin at or after a byte which begins a line."""
    pending, length = bytearray(), 0
    for content in _read_chunks(upload, position):
        start = 0
        while (end := content.find(b"\n", start) + 1) > 0:
            size = length + end - start
            pending += content[start:end] if size <= MAX_RECORD_BYTES else b""
            yield Line(pending.decode() if size <= MAX_RECORD_BYTES else None, size)
            pending.clear()
            start, length = end, 0
        length += len(content) - start
        if length <= MAX_RECORD_BYTES:
            pending += content[start:]
        else:
            pending.clear()
    if length:
        yield Line(pending.decode() if length <= MAX_RECORD_BYTES else None, length)


def read_records(
    upload: Upload, kind: str, delimiter: str, position: int, line: int, *, can_reread: bool = True
) -> Iterator[Record]:
    """Yield the records from a byte on, blank lines left out; one that cannot be read has a problem."""
    if kind == Upload.Kind.JSONL:
        return _read_json(upload, position, line)
    return _read_csv(upload, delimiter, position, line, can_reread=can_reread)


def _read_chunks(upload: Upload, position: int) -> Iterator[bytes]:
    number, start = divmod(position, UploadChunk.CHUNK_BYTES)
    chunks = UploadChunk.objects.filter(upload=upload).values_list("content", flat=True)
    # One at a time: both databases would load all of them otherwise.
    while (content := chunks.filter(number=number).first()) is not None:
        yield bytes(content)[start:]
        number, start = number + 1, 0


def _read_csv(upload: Upload, delimiter: str, position: int, line: int, *, can_reread: bool) -> Iterator[Record]:
    reads, is_at_end = 0, False
    while not is_at_end:
        feeder = _LineFeeder(read_lines(upload, position), position, line)
        reader = csv.reader(feeder, delimiter=delimiter, strict=True)
        is_at_end = True
        while True:
            feeder.begin()
            problem, cells = "", None
            try:
                cells = next(reader, None)
            except (_RecordTooLongError, csv.Error) as error:
                problem = _describe(error, feeder)
            if not problem and cells is None:
                break
            if problem and can_reread and feeder.line > feeder.start_line and reads < MAX_REREADS:
                # The quotation mark may be a mistake of one line: go on with the next.
                reads, is_at_end = reads + 1, False
                position, line = feeder.first_end, feeder.start_line
                yield Record(line, position, line, problem=problem)
                break
            if problem or cells:
                yield Record(feeder.start_line, feeder.position, feeder.line, cells, problem)


def _describe(error: Exception, feeder: _LineFeeder) -> str:
    if feeder.line > feeder.start_line:
        return "A quotation mark in this line is never closed. Close it, or double it if it is part of the text."
    if isinstance(error, _RecordTooLongError) or "field larger" in str(error):
        return f"The line is longer than {MAX_RECORD_BYTES // 1024} KB. Shorten it."
    return "The quotation marks of this line do not fit. Put a text with quotation marks in quotes and double them."


def _read_json(upload: Upload, position: int, line: int) -> Iterator[Record]:
    for text, size in read_lines(upload, position):
        position, line = position + size, line + 1
        if text is None:
            problem = f"The line is longer than {MAX_RECORD_BYTES // 1024} KB. Shorten it."
            yield Record(line, position, line, problem=problem)
        elif text.strip():
            yield _parse_json(text, line, position)


def _parse_json(text: str, line: int, end: int) -> Record:
    try:
        value = canonical_json.parse_input(text.encode())
    except canonical_json.InvalidJSONError as error:
        return Record(line, end, line, problem=f"The line is not valid JSON: {shorten(str(error), 200)}")
    if not isinstance(value, dict):
        return Record(line, end, line, problem='The line is not an object of the form {"trace_id": "…"}.')
    return Record(line, end, line, value)
