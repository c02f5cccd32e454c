"""What the published OpenAPI description says beyond the types: request bodies, examples, the meaning of each status.

Request bodies are validated by hand-written parsers, not by Pydantic: duplicate keys, lone surrogates, NUL characters
and the spelling of numbers (1.0 is not 1) are gone or changed before a Pydantic model sees them, and the parser of
patches is shared with a command. `tests/api/test_published_schema.py` holds schema and parser together.
"""

from collections.abc import Mapping
from typing import Any

from reviewapp.lib import trace_ids
from reviewapp.web.views import METHOD_NOT_ALLOWED_MESSAGE, UNSUPPORTED_CHARSET_MESSAGE

JSON_TYPE = "application/json"
TRACE_ID_SCHEMA = {
    "type": "string",
    "pattern": rf"^\s*{trace_ids.PATTERN}\s*$",
    "description": "A UUID, or 32 hex digits",
}
EXAMPLE_TRACE_ID = "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04"

# Status codes that several endpoints answer with: description and example.
Response = tuple[str, object]
UNAUTHORIZED_MESSAGE = (
    "The access token is missing, wrong, expired or revoked. Send it as “Authorization: Bearer <token>”."
)
UNAUTHORIZED: Response = ("The access token is missing or not valid.", {"error": UNAUTHORIZED_MESSAGE})
METHOD_NOT_ALLOWED: Response = (
    "The URL does not support this method. The Allow header lists the ones it does.",
    {"error": METHOD_NOT_ALLOWED_MESSAGE},
)
RATE_LIMITED: Response = (
    "The access token has made its calls of this minute. The Retry-After header says in how many seconds to repeat the"
    " call.",
    {"error": "This access token may make 1,200 calls a minute. Nothing was changed. Repeat the call in 17 seconds."},
)
MISSING_SCOPE: Response = (
    "The access token does not have the scope for this call. An admin chooses scopes when creating a token.",
    {
        "error": "This access token does not have the scope “patch”. Nothing was changed. Ask an admin for a token that"
        " has it."
    },
)
UNSUPPORTED_CHARSET: Response = (
    "The Content-Type names a charset other than UTF-8.",
    {"error": UNSUPPORTED_CHARSET_MESSAGE},
)


def too_large(outcome: str) -> Response:
    return "The body is larger than 2 MB.", {
        "error": f"The body is larger than 2 MB. Split the call. {outcome}",
        "line": None,
    }


def describe_responses(responses: Mapping[int, Response]) -> dict[str, Any]:
    """The `openapi_extra` of an endpoint with these responses."""
    return {
        "responses": {
            status: {"description": description, "content": {JSON_TYPE: {"example": example}}}
            for status, (description, example) in responses.items()
        }
    }


def describe_body(schema: Mapping[str, Any], examples: Mapping[str, object]) -> dict[str, Any]:
    """The `openapi_extra` of an endpoint with this JSON body; `examples` are bodies by what they show."""
    named = {name: {"summary": name, "value": value} for name, value in examples.items()}
    return {"requestBody": {"content": {JSON_TYPE: {"schema": schema, "examples": named}}, "required": True}}
