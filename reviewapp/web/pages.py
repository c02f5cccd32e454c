"""Answer with a page, or with the one part of it that htmx asked for."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# What a person may see changes with each act: the browser's back button asks again.
NO_STORE = "no-store, private"


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    fragment: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render `template`; to an htmx request only its partial `part`, named here and never by the client."""
    if fragment and _is_in_page(request):
        template = f"{template}#{fragment}"
    response = render(request, template, context, status=status)
    response["Cache-Control"] = NO_STORE
    return response


def _is_in_page(request: HttpRequest) -> bool:
    """Whether the answer goes into a page that stands; where one comes back to, htmx wants the whole page again."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request
