"""Authentication by a project key in `Authorization: Bearer`, for every route but the probes."""

import logging
import sqlite3
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from reviewapp.tracestore import database, projects, responses

log = logging.getLogger(__name__)

View = Callable[[HttpRequest, projects.Access], HttpResponse]


def route(method: str, *, full_key: bool = False) -> Callable[[View], Callable[[HttpRequest], HttpResponseBase]]:
    """Call the view only if the request's method and key are allowed.

    Wrong method: an empty 404. Missing, unknown or expired key: an empty 401. Ingest-only key on a
    route for full keys: an empty 404, so that it does not reveal the route. Database locked or full: a 503, which
    exporters send again, unlike a 500.
    """

    def decorate(view: View) -> Callable[[HttpRequest], HttpResponseBase]:
        @wraps(view)
        def guarded_view(request: HttpRequest) -> HttpResponseBase:
            if request.method != method:
                return responses.empty(404)
            try:
                access = _find_access(request)
                if access is None:
                    return _unauthorized_response()
                if full_key and access.is_ingest_only:
                    return responses.empty(404)
                return view(request, access)
            except responses.RequestError as error:
                return error.response
            except database.BusyError:
                return _unavailable_response("other requests were still writing")
            except sqlite3.Error as error:
                if not database.is_unavailable(error):
                    raise
                return _unavailable_response(str(error))

        return guarded_view

    return decorate


def _find_access(request: HttpRequest) -> projects.Access | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return projects.find(key.strip()) if scheme.lower() == "bearer" else None


def _unavailable_response(reason: str) -> HttpResponse:
    log.error("The trace store cannot use its database (%s)", reason, extra={"summary": "unavailable"})
    return responses.unavailable()


def _unauthorized_response() -> HttpResponse:
    response = responses.empty(401)
    response["WWW-Authenticate"] = "Bearer"
    return response
