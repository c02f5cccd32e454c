"""The machine API: an access token in, queue items out. The token says which project; nothing a client sends does."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI, Schema, Status
from ninja.errors import AuthenticationError
from ninja.security.http import HttpAuthBase

from reviewapp.accounts import access
from reviewapp.api.items import SCHEMA, NotItems, read_items
from reviewapp.keys import holding
from reviewapp.keys.models import AccessToken
from reviewapp.queues import entry
from reviewapp.queues.models import Queue


class ByToken(HttpAuthBase):
    """`Authorization: Bearer <access token>`. Ninja's own class would log what stands there under another scheme."""

    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> AccessToken | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        return holding.token_from(secret) if scheme.lower() == "bearer" else None


class Fault(Schema):
    """Why nothing was done, as a sentence; `line` is the number of the item at fault, from 1."""

    error: str
    line: int | None = None


class ItemOut(Schema):
    id: int
    trace_id: str
    state: str


class AddedOut(Schema):
    added: int
    duplicates: int
    items: list[ItemOut]


api = NinjaAPI(title="Review desk", version="1", auth=ByToken(), docs_url=None, urls_namespace="api")


@api.exception_handler(AuthenticationError)
def refuse(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    said = "The access token is missing, wrong, expired or revoked. Send it as “Authorization: Bearer …”."
    response = api.create_response(request, {"error": said}, status=401)
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.post(
    "/queues/{slug:queue}/items",
    response={200: AddedOut, 400: Fault, 401: Fault, 404: Fault, 413: Fault},
    summary="Put traces into a queue",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": SCHEMA}}, "required": True}},
)
def add_items(request: HttpRequest, queue: str) -> Status[dict[str, object]]:
    """At most 1,000 a call; all or nothing. Traces already in the queue are told, never doubled."""
    token: AccessToken = request.auth  # type: ignore[attr-defined]
    found = Queue.objects.select_related("project").filter(project=token.project, slug=queue).first()
    if found is None:
        return Status(404, {"error": f"There is no queue “{queue}” in this token's project. Nothing was added."})
    try:
        entries = read_items(request.body)
    except RequestDataTooBig:
        return Status(413, {"error": "The body is larger than 2 MB. Nothing was added: split the call."})
    except NotItems as error:
        return Status(400, {"error": str(error), "line": error.line})
    done = entry.add(found, entries, f"token:{token.name}")
    items = [{"id": item.pk, "trace_id": str(item.trace_id), "state": item.state} for item in done.items]
    return Status(200, {"added": done.added, "duplicates": done.duplicates, "items": items})


def routes() -> tuple[list[URLPattern | URLResolver], str, str]:
    """The API's routes: its description is open to anyone, all else asks for a token."""
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            rule = access.anyone if pattern.name == "openapi-json" else access.by_token
            pattern.callback = rule(pattern.callback)
    return patterns, app_name, namespace
