"""Health checks and error pages."""

import sys
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import Error, InternalError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from reviewapp.web.pages import NO_STORE, render_page

# The status when the database fails. No proxy sends it, so the browser knows that it comes from this application.
INSUFFICIENT_STORAGE = 507
METHOD_NOT_ALLOWED_MESSAGE = "This URL does not support this method. Nothing was changed."
UNSUPPORTED_CHARSET_MESSAGE = "The request names a charset other than UTF-8. Nothing was changed. Send UTF-8."


def _anyone(view: Any) -> Any:
    """`accounts.access.anyone`, which this package must not import."""
    view.access_rule = "anyone"
    return login_not_required(view)


@_anyone
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Liveness: the process answers."""
    return HttpResponse("OK", content_type="text/plain")


@_anyone
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Readiness: the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return HttpResponse("The database does not answer.", status=503, content_type="text/plain")
    return HttpResponse("OK", content_type="text/plain")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        message = "A request can have at most 2 MB. Nothing was changed. Go back and send less."
        return _error_response(request, 413, "This is too large", message)
    if isinstance(exception, TooManyFieldsSent):
        limit = f"{settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,}"
        message = (
            f"A request can have at most {limit} fields and ticked boxes. Nothing was changed. Go back and send less."
        )
        return _error_response(request, 400, "Too many fields", message)
    return _error_response(request, 400, "Bad request", "Nothing was changed. Go back and try again.")


def unreadable(request: HttpRequest, status: int, reason: str) -> HttpResponse:
    """The request cannot be read as it was sent; `reason` is a sentence."""
    message = f"{reason} Nothing was changed. Go back: the form still has what you typed."
    if _is_for_machine(request):
        message = f"{reason} Nothing was changed."
    return _error_response(request, status, "This cannot be read", message)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    message = str(exception) or "Your role in this project does not allow this. Nothing was changed."
    return _error_response(request, 403, "You do not have access", message)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    message = (
        "It was opened too long ago, or before you signed in again. Nothing was saved. Go back: the form still has"
        " what you typed. Copy it, reload the page and submit it again."
    )
    return _error_response(request, 403, "The form has expired", message)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    message = str(exception.args[0]) if exception.args else ""
    # Ours end with a full stop; those of Django are not meant for users.
    message = message if message.endswith(".") else "The URL is wrong, or the page was deleted."
    return _error_response(request, 404, "Page not found", message)


def not_allowed(request: HttpRequest) -> HttpResponse:
    if _is_for_machine(request):
        return _error_response(request, 405, "", METHOD_NOT_ALLOWED_MESSAGE)
    message = "This URL only accepts a submitted form. If you had to sign in again, go back twice and submit the form."
    return _error_response(request, 405, "Nothing to show", message)


def unsupported_charset(request: HttpRequest) -> HttpResponse:
    return _error_response(request, 415, "Only UTF-8 is accepted", UNSUPPORTED_CHARSET_MESSAGE)


def server_fault(request: HttpRequest) -> HttpResponse:
    status, title, message = 500, "Something went wrong", (
        "This is an error in the review desk. Everything saved before is safe. Go back to find what you typed, and try"
        " again in a moment."
    )  # fmt: skip
    # Django calls this while it handles the exception.
    if isinstance(sys.exception(), (OperationalError, InternalError)):
        status, title, message = INSUFFICIENT_STORAGE, "The database is not working", (
            "It may be down, or its disk may be full. Everything saved before is safe. Go back to find what you typed."
            " Tell the operator of the review desk, and try again later."
        )  # fmt: skip
    if _is_for_machine(request):
        return JsonResponse({"error": message}, status=status)
    if _wants_fragment(request):
        return message_response(_render_message(title, message), status=status)
    # Without the request: reading the user from it could raise the same error again.
    content = render_to_string("error.html", {"title": title, "message": message})
    return HttpResponse(content, status=status, headers={"Cache-Control": NO_STORE})


def message_response(message: str, *, status: int) -> HttpResponse:
    """Show a message in the page's message area; the target of the htmx request stays, with what was typed."""
    headers = {"HX-Retarget": "#messages", "HX-Reswap": "innerHTML", "Cache-Control": NO_STORE}
    return HttpResponse(message, status=status, headers=headers)


def _error_response(request: HttpRequest, status: int, title: str, message: str) -> HttpResponse:
    if _is_for_machine(request):
        return JsonResponse({"error": message}, status=status)
    if _wants_fragment(request):
        return message_response(_render_message(title, message), status=status)
    return render_page(request, "error.html", {"title": title, "message": message}, status=status)


def _is_for_machine(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _wants_fragment(request: HttpRequest) -> bool:
    # From the headers: an error may occur before htmx's middleware runs.
    return request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers


def _render_message(title: str, message: str) -> str:
    return format_html('<p class="message error">{}. {}</p>', title, message)
