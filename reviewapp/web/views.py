"""Pages that belong to no domain: whether we run, and what went wrong."""

import sys
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import Error, InternalError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from reviewapp.web.pages import NO_STORE, render_page

# What we answer when the database takes nothing: no proxy says it, so the page knows it as ours.
INSUFFICIENT_STORAGE = 507


def _open(view: Any) -> Any:
    view.access_rule = "anyone"
    return login_not_required(view)


@_open
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("OK", content_type="text/plain")


@_open
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The process can do its work: the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return HttpResponse("The database does not answer.", status=503, content_type="text/plain")
    return HttpResponse("OK", content_type="text/plain")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        said = "It holds more than fits into one request, 2 MB. Nothing was changed: go back and send less."
        return _fault(request, 413, "This is too large", said)
    return _fault(request, 400, "This request cannot be read", "Nothing was changed. Go back and try again.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = str(exception) or "Your role in this project does not allow it. Nothing was changed."
    return _fault(request, 403, "This is not yours to open", said)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    said = (
        "The form was opened too long ago or in another sign-in. Nothing was saved. Go back: what you typed stands in"
        " the form still. Copy it, reload the page, and submit it there."
    )
    return _fault(request, 403, "The form has expired", said)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = str(exception.args[0]) if exception.args else ""
    # A library's own words are no sentence.
    said = said if said.endswith(".") else "The address is wrong, or what stood here is gone."
    return _fault(request, 404, "There is nothing here", said)


def not_allowed(request: HttpRequest) -> HttpResponse:
    if _is_for_machine(request):
        return _fault(request, 405, "", "This address does not take this method. Nothing was changed.")
    said = "This address only takes a form. If you had to sign in on the way, go back twice and submit it again."
    return _fault(request, 405, "There is nothing to see here", said)


def server_fault(request: HttpRequest) -> HttpResponse:
    status, title, said = 500, "Something broke", (
        "This is our fault. What was saved before is safe; what you typed stays if you go back. Try again in a moment."
    )  # fmt: skip
    # Django calls this while it handles what was raised.
    if isinstance(sys.exception(), (OperationalError, InternalError)):
        status, title, said = INSUFFICIENT_STORAGE, "The database does not answer as it should", (
            "It may be down, or its disk full. What was saved before is safe; what you typed stays if you go back."
            " Tell whoever runs the review desk, and try again when they say so."
        )  # fmt: skip
    if _is_for_machine(request):
        return JsonResponse({"error": said}, status=status)
    if _wants_fragment(request):
        return beside(_line(title, said), status=status)
    # Without the request: what broke may be what knows the person, and the page must not break on it again.
    shown = render_to_string("error.html", {"title": title, "said": said})
    return HttpResponse(shown, status=status, headers={"Cache-Control": NO_STORE})


def beside(message: str, *, status: int) -> HttpResponse:
    """Answer htmx with a message in the page's message line; what it meant to replace stays, typed text and all."""
    headers = {"HX-Retarget": "#messages", "HX-Reswap": "innerHTML", "Cache-Control": NO_STORE}
    return HttpResponse(message, status=status, headers=headers)


def _fault(request: HttpRequest, status: int, title: str, said: str) -> HttpResponse:
    if _is_for_machine(request):
        return JsonResponse({"error": said}, status=status)
    if _wants_fragment(request):
        return beside(_line(title, said), status=status)
    return render_page(request, "error.html", {"title": title, "said": said}, status=status)


def _is_for_machine(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _wants_fragment(request: HttpRequest) -> bool:
    # From the headers themselves: a fault may come before htmx's middleware.
    return request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers


def _line(title: str, said: str) -> str:
    return format_html('<p class="message error">{}. {}</p>', title, said)
