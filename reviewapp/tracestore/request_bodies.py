"""Request bodies: read up to the limit, unzipped up to the same limit, parsed."""

import zlib
from typing import Any

from django.http import HttpRequest

from reviewapp.tracestore import jsonb
from reviewapp.tracestore.responses import Refused

# Laminar counts the bytes after unzipping, so a small zipped body cannot grow without end.
LIMIT = 5 * 1024 * 1024
_GZIP_WINDOW = 31


def read(request: HttpRequest) -> bytes:
    """The body in clear. Raises Refused: 413 over 5 MiB, 400 for broken gzip, 415 for another encoding."""
    raw: bytes = request.META["wsgi.input"].read(LIMIT + 1)
    if len(raw) > LIMIT:
        raise _too_large()
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "gzip":
        return _unzipped(raw)
    if encoding not in ("", "identity"):
        raise Refused(415, "Unsupported content encoding")
    return raw


def read_json(request: HttpRequest) -> Any:
    """The body as a JSON value. Raises Refused with Laminar's texts."""
    if not is_json(request):
        raise Refused(400, "Content type error")
    raw = read(request)
    try:
        return jsonb.loads(raw)
    except ValueError as error:
        raise malformed(str(error)) from None


def is_json(request: HttpRequest) -> bool:
    """Whether the content type says JSON."""
    kind = (request.content_type or "").lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def malformed(detail: str) -> Refused:
    """The 400 of a body that is not the JSON the route wants."""
    return Refused(400, f"Json deserialize error: {detail}")


def _unzipped(raw: bytes) -> bytes:
    unzip = zlib.decompressobj(_GZIP_WINDOW)
    try:
        clear = unzip.decompress(raw, LIMIT + 1)
    except zlib.error as error:
        raise Refused(400, f"Failed to decode the gzip body: {error}") from None
    if len(clear) > LIMIT:
        raise _too_large()
    if not unzip.eof:
        raise Refused(400, "Failed to decode the gzip body: it ends too early")
    return clear


def _too_large() -> Refused:
    return Refused(413, f"A payload reached size limit ({LIMIT} bytes).")
