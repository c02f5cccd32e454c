"""Who asks: a project's key in `Authorization: Bearer`. One decorator guards every route but the probes."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from reviewapp.tracestore import projects, responses

View = Callable[[HttpRequest, projects.Access], HttpResponse]


def route(method: str, *, full_key: bool = False) -> Callable[[View], Callable[[HttpRequest], HttpResponseBase]]:
    """Let a request through to the view if its method and key fit.

    Another method is an empty 404; no, unknown or expired key an empty 401; an ingest-only key on a
    route for full keys an empty 404, so that it learns nothing about the route.
    """

    def guard(view: View) -> Callable[[HttpRequest], HttpResponseBase]:
        @wraps(view)
        def answer(request: HttpRequest) -> HttpResponseBase:
            if request.method != method:
                return responses.empty(404)
            access = _access(request)
            if access is None:
                return _unauthorized()
            if full_key and access.is_ingest_only:
                return responses.empty(404)
            try:
                return view(request, access)
            except responses.Refused as refused:
                return refused.answer

        return answer

    return guard


def _access(request: HttpRequest) -> projects.Access | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return projects.find(key.strip()) if scheme.lower() == "bearer" else None


def _unauthorized() -> HttpResponse:
    response = responses.empty(401)
    response["WWW-Authenticate"] = "Bearer"
    return response
