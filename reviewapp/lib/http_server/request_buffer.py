"""One request as it arrives; gunicorn parses its head once that is complete."""

import tempfile
import time
from typing import Any, Self

from gunicorn.config import Config
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.parser import RequestParser

from reviewapp.lib.http_server import admission, limits
from reviewapp.lib.http_server.chunked_body import ChunkedBody

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD_BYTES = 128 * 1024
_REASONS = {400: "Bad Request", 408: "Request Timeout", 413: "Content Too Large", 503: "Service Unavailable"}


class RequestBuffer:
    """Collects a request until it `is_complete`; in gunicorn's worker it is the parser that returns it.

    `deadline` is monotonic. `parse_error` is what gunicorn raised, if the request is malformed. While
    `needs_admission`, the body waits for `admit`: it may be as large as a file only if the sender is known.
    """

    def __init__(self, config: Config, client: Any, deadline: float) -> None:
        self._config = config
        self._client = client
        self._head = bytearray()
        self._body = tempfile.SpooledTemporaryFile(limits.MEMORY_BYTES)  # noqa: SIM115 -- closed by close()
        self._chunks: ChunkedBody | None = None
        self._missing = 0
        self._max_bytes = limits.BODY_BYTES
        self.message: Any = None
        self.parse_error: Exception | None = None
        self.is_started = False
        self.is_complete = False
        self.is_too_large = False
        self.needs_admission = False
        self.rest = b""
        self.deadline = deadline

    def feed(self, data: bytes) -> None:
        """Add received bytes; those after the request's end become `rest`. Raises OSError if the disk is full."""
        if not self.is_started:
            # RFC 9112, section 2.2: ignore empty lines before a request.
            data = data.lstrip(b"\r\n")
            if not data:
                return
            self.is_started = True
            self.deadline = time.monotonic() + limits.HEAD_SECONDS
        try:
            if self.message is None:
                data = self._feed_head(data)
            if self.needs_admission:
                self.rest += data
            elif self.message is not None:
                self._feed_body(data)
        except Exception as error:
            if isinstance(error, OSError) and self.message is not None:
                raise
            # Gunicorn's worker answers it.
            self.parse_error, self.is_complete = error, True

    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body; True once per request."""
        is_expected = bool(self.message and self.message._expected_100_continue)
        if is_expected:
            self.message._expected_100_continue = False
        return is_expected and not self.is_complete

    def close(self) -> None:
        """Free the body."""
        self._body.close()

    def _feed_head(self, data: bytes) -> bytes:
        """Returns the bytes after the head; parses it if it is complete."""
        searched = max(0, len(self._head) - len(_HEAD_END))
        self._head += data
        end = self._head.find(_HEAD_END, searched)
        if end < 0:
            if len(self._head) > _MAX_HEAD_BYTES:
                raise LimitRequestHeaders("max buffer headers")
            return b""
        end += len(_HEAD_END)
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        self._head.clear()
        # The parser wants bytes in pieces, and raises at the end of them instead of waiting.
        self.message = next(RequestParser(self._config, [head], self._client))
        self._start_body()
        return rest

    def _start_body(self) -> None:
        self.deadline = time.monotonic() + limits.BODY_SECONDS
        reader = self.message.body.reader
        self.message.body = self._body
        if isinstance(reader, ChunkedReader):
            self._chunks = ChunkedBody(self._body.write)
        else:
            self._missing = reader.length
            self.is_too_large = self._missing > self._max_bytes
        is_file = self.message.path.rstrip("/").endswith(limits.UPLOAD_SUFFIX)
        if is_file and (self.is_too_large or self._chunks) and admission.has_credentials(self.message.headers):
            self.needs_admission, self.is_too_large = True, False

    def admit(self, *, is_known: bool) -> None:
        """Go on with the body: as large as a file if the sender `is_known`, else as any other."""
        self.needs_admission = False
        if is_known:
            # Room for the form around the file.
            self._max_bytes = limits.UPLOAD_BYTES + limits.MEMORY_BYTES
            self.deadline = time.monotonic() + limits.UPLOAD_SECONDS
        self.is_too_large = self._missing > self._max_bytes
        data, self.rest = self.rest, b""
        self.feed(data)

    def _feed_body(self, data: bytes) -> None:
        if self._chunks is not None:
            self.rest = self._chunks.feed(data)
            self.is_complete = self._chunks.is_complete
            self.is_too_large = self._body.tell() > self._max_bytes
        elif not self.is_too_large:
            self._body.write(data[: self._missing])
            self.rest = data[self._missing :]
            self._missing -= len(data) - len(self.rest)
            self.is_complete = not self._missing
        if self.is_too_large:
            # Do not read on: the application refuses it by its length.
            self.message.force_close()
            self.is_complete = True
        if self.is_complete:
            self._finish_body()

    def _finish_body(self) -> None:
        if self._chunks is not None:
            # Applications read as much as Content-Length says.
            self.message.headers = [header for header in self.message.headers if header[0] != "TRANSFER-ENCODING"]
            self.message.headers.append(("CONTENT-LENGTH", str(self._body.tell())))
        if self.is_too_large:
            # Nobody must take a part for the whole.
            self._body.seek(0)
            self._body.truncate()
        self._body.seek(0)

    # What gunicorn's worker calls on a parser.

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self.parse_error is not None:
            raise self.parse_error
        return self.message

    def finish_body(self, deadline: float | None = None) -> bool:
        """Whether the connection can be used for another request."""
        return not self.message.should_close()


def error_response(status: int, sentence: str) -> bytes:
    """Returns the bytes of a response in plain text after which the connection is closed."""
    body = f"{sentence}\n"
    retry = "Retry-After: 1\r\n" if status == 503 else ""
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"{retry}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode("ascii")
