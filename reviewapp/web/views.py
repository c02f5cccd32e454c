"""Health checks and error pages."""

import sys
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from reviewapp.lib.database_faults import find_fault
from reviewapp.web import readiness
from reviewapp.web.database_error_page import CSRF_FIELD, EXPLANATIONS, RETRY_SECONDS, Explanation, get_typed_fields
from reviewapp.web.pages import NO_STORE, render_page

UNKNOWN_FAULT = Explanation(
    500,
    "Something went wrong",
    "This is an error in the review desk. Everything saved before is safe. Go back to find what you typed, and try"
    " again in a moment.",
)
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
    """Readiness: this process can serve requests; with `?worker=1` also: a worker was seen lately."""
    obstacle = readiness.find_obstacle()
    if not obstacle and request.GET.get("worker") == "1":
        obstacle = readiness.run_check(import_string(settings.WORKER_CHECK))
    status = 503 if obstacle else 200
    return HttpResponse(obstacle or "OK", status=status, content_type="text/plain")


PROBES = {"/health": health, "/healthz": health, "/ready": ready, "/readyz": ready}


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
    # Django calls this while it handles the exception.
    fault = find_fault(sys.exception())
    status, title, message = EXPLANATIONS[fault] if fault else UNKNOWN_FAULT
    headers = {"Cache-Control": NO_STORE}
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if _is_for_machine(request):
        return JsonResponse({"error": message}, status=status, headers=headers)
    if _wants_fragment(request):
        return message_response(_render_message(title, message), status=status, headers=headers)
    # Without the request: reading the user from it could raise the same error again.
    fields = get_typed_fields(request) if fault else []
    context = {"title": title, "message": message, "fields": fields, "action": request.get_full_path()}
    if fields:
        context["csrf_token"] = request.POST.get(CSRF_FIELD, "")
    return HttpResponse(render_to_string("error.html", context), status=status, headers=headers)


def message_response(message: str, *, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    """Show a message in the page's message area; the target of the htmx request stays, with what was typed."""
    target = {"HX-Retarget": "#messages", "HX-Reswap": "innerHTML", "Cache-Control": NO_STORE}
    return HttpResponse(message, status=status, headers=target | (headers or {}))


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
