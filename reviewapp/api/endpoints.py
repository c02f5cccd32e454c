"""The machine API: an access token in, queue items and patches out. Each resource has a file of its own."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.errors import AuthenticationError

from reviewapp.accounts import access
from reviewapp.api import items, patches
from reviewapp.api.request_handling import AccessTokenAuth

api = NinjaAPI(title="Review desk", version="1", auth=AccessTokenAuth(), docs_url=None, urls_namespace="api")
api.add_router("", items.router)
api.add_router("", patches.router)


@api.exception_handler(AuthenticationError)
def refuse(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    said = "The access token is missing, wrong, expired or revoked. Send it as “Authorization: Bearer …”."
    response = api.create_response(request, {"error": said}, status=401)
    response["WWW-Authenticate"] = "Bearer"
    return response


def routes() -> tuple[list[URLPattern | URLResolver], str, str]:
    """The API's routes: its description is open to anyone, all else asks for a token."""
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            rule = access.anyone if pattern.name == "openapi-json" else access.by_token
            pattern.callback = rule(pattern.callback)
    return patterns, app_name, namespace
