"""Decode a body in chunked transfer coding as it arrives (RFC 9112, section 7.1)."""

import re
from collections.abc import Callable

from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize

_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r]*)?", re.DOTALL)
_MAX_LINE = 8190
_MAX_TRAILER_LINES = 100


class ChunkedBody:
    """Passes the data of each chunk to `write`; discards extensions and trailers."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._line = bytearray()
        self._read_line: Callable[[bytes], None] = self._read_size
        self._missing = 0
        self._trailer_lines = 0
        self.is_complete = False

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes. Returns those after the body's end.

        Raises InvalidChunkSize and ChunkMissingTerminator.
        """
        position = 0
        while position < len(data) and not self.is_complete:
            if self._missing:
                piece = data[position : position + self._missing]
                self._write(piece)
                self._missing -= len(piece)
                position += len(piece)
                continue
            end = data.find(b"\n", position) + 1
            self._line += data[position : end or len(data)]
            if len(self._line) > _MAX_LINE:
                raise InvalidChunkSize(b"line too long")
            if end:
                self._take_line()
            position = end or len(data)
        return data[position:]

    def _take_line(self) -> None:
        line, self._line = bytes(self._line), bytearray()
        if not line.endswith(b"\r\n"):
            raise InvalidChunkSize(b"bare LF as line terminator")
        self._read_line(line[:-2])

    def _read_size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise InvalidChunkSize(line[:40])
        self._missing = int(match[1], 16)
        self._read_line = self._read_end if self._missing else self._read_trailer

    def _read_end(self, line: bytes) -> None:
        if line:
            raise ChunkMissingTerminator(line[:40])
        self._read_line = self._read_size

    def _read_trailer(self, line: bytes) -> None:
        self._trailer_lines += 1
        if self._trailer_lines > _MAX_TRAILER_LINES:
            raise InvalidChunkSize(b"too many trailers")
        self.is_complete = not line
