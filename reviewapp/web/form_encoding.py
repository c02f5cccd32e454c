"""Refuse requests of which Django would drop or replace a part without a word.

Django replaces bytes that are not UTF-8 by the replacement character, ignores bodies of another content type than a
form's, and skips parts of a multipart form that it cannot name. The API reads its bodies itself, strictly.
"""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, HttpResponse

from reviewapp.web import views

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"

NOT_UTF8 = "The text is not valid UTF-8, so some of its characters cannot be read. Send it as UTF-8."
HAS_FILE = "The form contains a file, and no page takes files. Paste the text instead."
INCOMPLETE = "A part of the form cannot be read. Send the form again."
NOT_A_FORM = f"The request is neither {_FORM} nor {_MULTIPART}. Send it as a form."


def refuse_unreadable_forms(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Respond with 400 or 415 and a sentence; nothing is saved, and the browser's form keeps what was typed."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not _is_utf8(request.META.get("QUERY_STRING", "").encode("latin-1")):
            return views.unreadable(request, 400, NOT_UTF8)
        if request.method == "POST" and not request.path.startswith("/api/"):
            if request.content_type not in (_FORM, _MULTIPART) and request.body:
                return views.unreadable(request, 415, NOT_A_FORM)
            if error := _find_error(request):
                return views.unreadable(request, 400, error)
        return get_response(request)

    return middleware


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
    # Also text in base64: a replacement character that the body does not have was put in by Django.
    if sum(text.count(_REPLACEMENT) for text in texts) > body.count(_REPLACEMENT.encode()):
        return NOT_UTF8
    parts = body.count(b"--" + (request.content_params or {}).get("boundary", "").encode("latin-1")) - 1
    return INCOMPLETE if parts > sum(len(values) for _, values in request.POST.lists()) else ""


def _is_utf8(encoded: bytes) -> bool:
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True
