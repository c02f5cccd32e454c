"""Small middlewares: three let one view serve both a page and an htmx fragment, three answer what no view reads."""

import json
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from reviewapp.lib import deadline, local_time
from reviewapp.web import views
from reviewapp.web.pages import NO_STORE

# Makes htmx request the target of a redirect as for a followed link: the response is the whole page.
_FULL_PAGE = {"HX-Boosted": "true"}

# The methods that some address may answer.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

GetResponse = Callable[[HttpRequest], HttpResponse]


def limit_duration(get_response: GetResponse) -> GetResponse:
    """End a request's waits for the database after REQUEST_SECONDS; what fails then is answered 503."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with deadline.limit(settings.REQUEST_SECONDS):
            return get_response(request)

    return middleware


def refuse_other_methods(get_response: GetResponse) -> GetResponse:
    """Refuse TRACE, CONNECT and methods that HTTP does not define, on every address and for everybody alike (405)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in METHODS:
            return get_response(request)
        headers = {"Allow": ", ".join(METHODS), "Cache-Control": NO_STORE}
        return HttpResponse("This method is not supported here.\n", "text/plain", status=405, headers=headers)

    return middleware


def answer_probes(get_response: GetResponse) -> GetResponse:
    """Answer probes by any host name or address: a load balancer often knows only the address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        view = views.PROBES.get(request.path_info)
        return view(request) if view is not None and request.method in ("GET", "HEAD") else get_response(request)

    return middleware


def use_readers_time_zone(get_response: GetResponse) -> GetResponse:
    """Show times in the zone that the browser names in a cookie (time-zone.js); without JavaScript in UTC."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with local_time.use_zone(local_time.find_zone(request.COOKIES.get("time_zone", ""))):
            return get_response(request)

    return middleware


def vary_on_htmx(get_response: GetResponse) -> GetResponse:
    """Keep caches from serving a fragment to a request for the page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        return response

    return middleware


def messages_out_of_band(get_response: GetResponse) -> GetResponse:
    """Append pending messages to a fragment; htmx swaps them into the page's message area."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.htmx or response.streaming or response.status_code != 200:  # type: ignore[attr-defined]
            return response
        if "text/html" in response.get("Content-Type", "") and b"<html" not in response.content[:200]:
            messages = get_messages(request)
            if len(messages):
                response.write(render_to_string("_messages.html", {"messages": messages, "out_of_band": True}))
        return response

    return middleware


def refuse_other_charsets(get_response: GetResponse) -> GetResponse:
    """Refuse a body that names a charset other than UTF-8: read as another, its texts would change in silence."""

    def middleware(request: HttpRequest) -> HttpResponse:
        charset = (request.content_params or {}).get("charset")
        if charset is not None:
            if charset.strip("\"' ").lower() not in ("utf-8", "utf8"):
                return views.unsupported_charset(request)
            # Django knows one spelling.
            request.encoding = "utf-8"
        return get_response(request)

    return middleware


def explain_method_not_allowed(get_response: GetResponse) -> GetResponse:
    """Explain a 405, whose body is empty: signing in again after submitting a form leads to the form's URL by GET."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code != 405 or response.streaming:
            return response
        if response.content and not request.path.startswith("/api/"):
            return response
        explained = views.not_allowed(request)
        explained["Allow"] = response["Allow"]
        return explained

    return middleware


def redirect_for_htmx(get_response: GetResponse) -> GetResponse:
    """Replace a redirect, which the browser would follow without htmx noticing, with an HX-Location header."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.htmx or response.status_code not in (301, 302, 303):  # type: ignore[attr-defined]
            return response
        if "/accounts/login/" in response["Location"]:
            return _answer_signed_out(request, response["Location"])
        location = HttpResponse(status=204)
        location.cookies = response.cookies
        location["HX-Location"] = json.dumps({"path": response["Location"], "target": "body", "headers": _FULL_PAGE})
        return location

    return middleware


def _answer_signed_out(request: HttpRequest, login_url: str) -> HttpResponse:
    """Ask the user to sign in again in the message area; the page and its form stay unchanged."""
    # Return to the current page: the URL of a fragment or a form cannot be opened on its own.
    current_page = request.htmx.current_url_abs_path  # type: ignore[attr-defined]
    sign_in = redirect_to_login(current_page).url if current_page else login_url
    return views.message_response(render_to_string("_signed_out.html", {"sign_in": sign_in}), status=401)
