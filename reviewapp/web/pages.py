"""Render a page, or the one fragment of it that htmx asked for."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

# What a user may see changes with each action, so the browser's back button must request the page again.
NO_STORE = "no-store, private"


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    fragment: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render `template`; for an htmx request only its partial `fragment`, named here and never by the client."""
    if fragment and _wants_fragment(request):
        template = f"{template}#{fragment}"
    response = render(request, template, context, status=status)
    response["Cache-Control"] = NO_STORE
    return response


def _wants_fragment(request: HttpRequest) -> bool:
    """Whether the response goes into the current page. Boosted links and restored history need the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request
