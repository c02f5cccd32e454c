"""Refuse requests of which Django would drop or replace a part without a word.

Django replaces bytes that are not UTF-8 by the replacement character, ignores bodies of another content type than a
form's, skips parts of a multipart form that it cannot name, and takes a body that was cut off for a whole one. The API
reads its bodies itself, strictly.
"""

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from reviewapp.lib.http_server import limits
from reviewapp.web import views

_DISPOSITION = b"content-disposition"
_CHARSET = re.compile(rb"""\bcharset\s*=\s*["']?([^"';\s]*)""")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"

NOT_UTF8 = "The text is not valid UTF-8, so some of its characters cannot be read. Send it as UTF-8."
HAS_FILE = "The form contains a file, and this page takes no files. Paste the text instead."
INCOMPLETE = "A part of the form cannot be read. Send the form again."
SIGNED_OUT = "You are signed out, so the file was not read. Nothing was added. Sign in and upload it again."
NOT_A_FORM = f"The request is neither {_FORM} nor {_MULTIPART}. Send it as a form."


def refuse_unreadable_forms(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Respond with 400 or 415 and a sentence; nothing is saved, and the browser's form keeps what was typed."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not _is_utf8(request.META.get("QUERY_STRING", "").encode("latin-1")):
            return views.unreadable(request, 400, NOT_UTF8)
        if request.method == "POST" and not request.path.startswith("/api/"):
            if request.content_type not in (_FORM, _MULTIPART) and request.body:
                return views.unreadable(request, 415, NOT_A_FORM)
            if request.path.rstrip("/").endswith(limits.UPLOAD_SUFFIX) and request.content_type == _MULTIPART:
                # A file, which its view checks and which must not be read into memory.
                if _get_length(request) > limits.BODY_BYTES and not request.user.is_authenticated:
                    return views.forbidden(request, PermissionDenied(SIGNED_OUT))
                if _get_length(request) > settings.UPLOAD_MAX_BYTES + limits.MEMORY_BYTES:
                    limit = f"{settings.UPLOAD_MAX_BYTES / 1024 / 1024:,.0f} MB"
                    return views.unreadable(request, 413, f"The file is larger than {limit}. Split it.")
            elif error := _find_error(request):
                return views.unreadable(request, 400, error)
        return get_response(request)

    return middleware


def _get_length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _find_error(request: HttpRequest) -> str:
    """A sentence about what cannot be read; empty if everything can. Raises RequestDataTooBig."""
    body = request.body
    if request.content_type == _FORM:
        return "" if _is_utf8(body) else NOT_UTF8
    if request.content_type != _MULTIPART:
        return ""
    if request.FILES:
        return HAS_FILE
    texts = [text for name, values in request.POST.lists() for text in (name, *values)]
    if not _is_whole(body, _get_boundary(request)):
        return INCOMPLETE
    # Also text in base64: a replacement character that the body does not have was put in by Django.
    if sum(text.count(_REPLACEMENT) for text in texts) > body.count(_REPLACEMENT.encode()):
        return NOT_UTF8
    parts = body.count(b"\r\n--" + _get_boundary(request))
    return INCOMPLETE if parts > sum(len(values) for _, values in request.POST.lists()) else ""


def _get_boundary(request: HttpRequest) -> bytes:
    return (request.content_params or {}).get("boundary", "").encode("latin-1", "replace")


def _is_whole(body: bytes, boundary: bytes) -> bool:
    """Whether a multipart body has its last boundary, and nothing but parts that Django reads as they are meant."""
    before, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not body:
        return True
    if before.strip() or not parts or parts[-1].strip() != b"--":
        return False
    return all(part.startswith(b"\r\n") and _is_plain(part) for part in parts[:-1])


def _is_plain(part: bytes) -> bool:
    """Whether the part is a field in UTF-8, as it stands or in valid base64."""
    head, _, content = part.partition(b"\r\n\r\n")
    headers = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    values = {name.strip(): value.strip() for name, _, value in headers}
    charset = _CHARSET.search(values.get(b"content-type", b""))
    if (charset and charset[1] not in (b"utf-8", b"utf8")) or sum(name == _DISPOSITION for name, _, _ in headers) != 1:
        return False
    encoding = values.get(b"content-transfer-encoding", b"8bit")
    if encoding == b"base64":
        return _is_base64(content)
    return encoding in (b"7bit", b"8bit", b"binary")


def _is_base64(content: bytes) -> bool:
    try:
        base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        return False
    return True


def _is_utf8(encoded: bytes) -> bool:
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True
