"""Read request bodies: limited in size, decompressed within the same limit, parsed."""

import zlib
from typing import Any

from django.http import HttpRequest

from reviewapp.lib.http_server import limits
from reviewapp.tracestore import jsonb
from reviewapp.tracestore.responses import RequestError

# In bytes. Like Laminar, apply it after decompression too, so a small gzip bomb cannot fill memory.
LIMIT = limits.BODY_BYTES
_GZIP_WINDOW = 31
# Each member costs a copy of what follows it.
_MAX_GZIP_MEMBERS = 100


def read(request: HttpRequest) -> bytes:
    """Returns the decompressed body.

    Raises RequestError: 413 over the limit, 400 for a broken or truncated body, 415 for an encoding other than gzip and
    deflate.
    """
    # The server sets it for chunked bodies too, and has read the body up to the limit.
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > LIMIT:
        raise _too_large()
    raw: bytes = request.META["wsgi.input"].read(length)
    if len(raw) < length:
        raise RequestError(400, "The body is shorter than its Content-Length.")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "gzip":
        return _gunzip(raw)
    if encoding == "deflate":
        return _inflate(raw)
    if encoding not in ("", "identity"):
        raise RequestError(415, "Unsupported content encoding")
    return raw


def read_json(request: HttpRequest) -> Any:
    """Returns the body as a JSON value. Raises RequestError with Laminar's messages."""
    try:
        return jsonb.loads(read_json_text(request))
    except ValueError as error:
        raise malformed(str(error)) from None


def read_json_text(request: HttpRequest) -> bytes:
    """Returns the decompressed body of a request that says it is JSON. Raises RequestError."""
    if not is_json(request):
        raise RequestError(400, "Content type error")
    return read(request)


def is_json(request: HttpRequest) -> bool:
    """Whether the content type is JSON."""
    media_type = (request.content_type or "").lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def malformed(detail: str) -> RequestError:
    """Returns the 400 for a body that is not the JSON that the route expects."""
    return RequestError(400, f"Json deserialize error: {detail}")


def _inflate(raw: bytes) -> bytes:
    """Decompress a zlib stream. Raises RequestError, also for anything after it."""
    decompressor = zlib.decompressobj()
    try:
        body = decompressor.decompress(raw, LIMIT + 1)
    except zlib.error as error:
        raise _encoding_error("deflate", str(error)) from None
    if len(body) > LIMIT:
        raise _too_large()
    if not decompressor.eof:
        raise _encoding_error("deflate", "it is truncated")
    if decompressor.unused_data:
        raise _encoding_error("deflate", "something follows it")
    return body


def _gunzip(raw: bytes) -> bytes:
    """Decompress all members. Raises RequestError, also for anything after the last one."""
    body, members = b"", 0
    while raw or not members:
        if members == _MAX_GZIP_MEMBERS:
            raise _encoding_error("gzip", f"it has more than {_MAX_GZIP_MEMBERS} members")
        decompressor = zlib.decompressobj(_GZIP_WINDOW)
        try:
            body += decompressor.decompress(raw, LIMIT + 1 - len(body))
        except zlib.error as error:
            raise _encoding_error("gzip", str(error)) from None
        if len(body) > LIMIT:
            raise _too_large()
        if not decompressor.eof:
            raise _encoding_error("gzip", "it is truncated")
        raw, members = decompressor.unused_data, members + 1
    return body


def _encoding_error(encoding: str, detail: str) -> RequestError:
    return RequestError(400, f"Failed to decode the {encoding} body: {detail}")


def _too_large() -> RequestError:
    return RequestError(413, f"A payload reached size limit ({LIMIT} bytes).")
