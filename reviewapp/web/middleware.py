"""Small middlewares: three make one view serve both a page and a fragment, one gives words to an empty answer."""

import json
from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from reviewapp.web import views

# htmx asks for where it is sent to as for a followed link: with the whole page as the answer.
_WHOLE = {"HX-Boosted": "true"}

GetResponse = Callable[[HttpRequest], HttpResponse]


def vary_on_htmx(get_response: GetResponse) -> GetResponse:
    """A cache must not hand a fragment to somebody who asked for the page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        return response

    return middleware


def messages_out_of_band(get_response: GetResponse) -> GetResponse:
    """Put waiting messages behind a fragment, where htmx swaps them into the page's message line."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.htmx or response.streaming or response.status_code != 200:  # type: ignore[attr-defined]
            return response
        if "text/html" in response.get("Content-Type", "") and b"<html" not in response.content[:200]:
            waiting = get_messages(request)
            if len(waiting):
                response.write(render_to_string("_messages.html", {"messages": waiting, "out_of_band": True}))
        return response

    return middleware


def explain_method_not_allowed(get_response: GetResponse) -> GetResponse:
    """Say what Django leaves empty: somebody whose session ended over a form comes back to its address by a link."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_told = response.status_code == 405 and response.content and not request.path.startswith("/api/")
        if response.status_code != 405 or response.streaming or is_told:
            return response
        answer = views.not_allowed(request)
        answer["Allow"] = response["Allow"]
        return answer

    return middleware


def redirect_for_htmx(get_response: GetResponse) -> GetResponse:
    """A redirect would be followed by the browser unseen; htmx is told where to go instead."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.htmx or response.status_code not in (301, 302, 303):  # type: ignore[attr-defined]
            return response
        if "/accounts/login/" in response["Location"]:
            return _ended_session(request, response["Location"])
        answer = HttpResponse(status=204)
        answer.cookies = response.cookies
        answer["HX-Location"] = json.dumps({"path": response["Location"], "target": "body", "headers": _WHOLE})
        return answer

    return middleware


def _ended_session(request: HttpRequest, where: str) -> HttpResponse:
    """Say that one has to sign in again, beside what was typed: the page and its form stay as they are."""
    # Back to the page one is on: the address of a fragment or a form is none to come back to.
    here = request.htmx.current_url_abs_path  # type: ignore[attr-defined]
    sign_in = redirect_to_login(here).url if here else where
    return views.beside(render_to_string("_signed_out.html", {"sign_in": sign_in}), status=401)
