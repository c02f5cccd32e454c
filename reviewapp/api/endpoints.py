"""The API for machines: add queue items, push metadata. A file for each resource; the docs page shows all of them."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import AuthenticationError

from reviewapp.accounts import access
from reviewapp.api import items, openapi, patches, queue_contents, queues, uploads
from reviewapp.api.request_handling import AccessTokenAuth, MissingScopeError, RateLimitedError
from reviewapp.keys.tokens import RATE_WINDOW

DESCRIPTION = """\
Add traces to queues and push metadata onto traces. Each call needs an access token of the project in the header \
“Authorization: Bearer <token>”. An admin creates tokens on the project's Keys page.

Bodies are JSON in UTF-8 of up to 2 MB, except for a file of traces. They are read strictly: no unknown or repeated \
keys, no NaN or Infinity, no numbers that Laminar would change, no NUL characters, no lone surrogates. An error is a \
JSON object with a sentence in “error” and, in a list, the number of the first faulty item in “line”; nothing of that \
call was saved. If only some items of a list are faulty, the others are saved: the answer is a 207, with the faulty \
ones in “refused”.

After a 5xx answer or a lost connection, repeat the call: items are never added twice, and a patch with an idempotency \
key is saved once. A call that adds items under an idempotency key returns its first result again, for \
seven days.

An access token can make a number of calls a minute, 1,200 unless the operator changed it (API_CALLS_PER_MINUTE). More \
are answered by 429 with a Retry-After header; other tokens are not affected.

A token has scopes: “read” for the state of patches, “queue” to add items, “patch” to push metadata. Keys that reviews \
write also need “review-keys”. A call without its scope is a 403."""

# Ninja's own documentation page needs files of another host and inline scripts; docs.py has ours.
api = NinjaAPI(
    title="Review desk API",
    version="1",
    description=DESCRIPTION,
    auth=AccessTokenAuth(),
    docs_url=None,
    urls_namespace="api",
)
api.add_router("", queues.router)
api.add_router("", items.router)
api.add_router("", queue_contents.router)
api.add_router("", uploads.router)
api.add_router("", patches.router)


@api.exception_handler(AuthenticationError)
def answer_unauthorized(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = api.create_response(request, {"error": openapi.UNAUTHORIZED_MESSAGE}, status=401)
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(MissingScopeError)
def answer_missing_scope(request: HttpRequest, error: MissingScopeError) -> HttpResponse:
    return api.create_response(request, {"error": str(error)}, status=403)


@api.exception_handler(RateLimitedError)
def answer_rate_limited(request: HttpRequest, error: RateLimitedError) -> HttpResponse:
    limit, delay = error.limit, error.delay
    unit = "second" if delay == 1 else "seconds"
    message = (
        f"This access token may make {limit:,} calls a minute. Nothing was changed. Repeat the call in {delay} {unit}."
    )
    response = api.create_response(request, {"error": message}, status=429)
    response["Retry-After"] = str(delay)
    response["RateLimit-Policy"] = f'"token";q={limit};w={RATE_WINDOW}'
    response["RateLimit"] = f'"token";r=0;t={delay}'
    return response


def routes() -> tuple[list[URLPattern | URLResolver], str, str]:
    """The API's routes. The OpenAPI description is open to anyone, all others need a token."""
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            rule = access.anyone if pattern.name == "openapi-json" else access.by_token
            # Ninja's own views, such as that of the root, which is a 404, would ask a machine for a browser's token.
            pattern.callback = never_cache(csrf_exempt(rule(pattern.callback)))
    return patterns, app_name, namespace
