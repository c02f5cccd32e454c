"""The body of `POST patches` as OpenAPI describes it. `delivery.patch_input` validates, with the same constants."""

from typing import Any

from reviewapp.api import openapi
from reviewapp.delivery import lint, patch_validation
from reviewapp.delivery.intake import MAX_BATCH_SIZE

PATCH_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["trace_id", "metadata"],
    "additionalProperties": False,
    "properties": {
        "trace_id": openapi.TRACE_ID_SCHEMA,
        "metadata": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": lint.MAX_KEYS,
            "propertyNames": {"minLength": 1, "maxLength": lint.MAX_KEY_LENGTH},
            "description": (
                f"Merged into the trace's metadata; at most {lint.MAX_BYTES // 1024} KB of JSON."
                " null clears a key; keys cannot be deleted"
            ),
        },
        "tags": {
            "type": ["array", "null"],
            "maxItems": patch_validation.MAX_TAGS,
            "items": {"type": "string", "minLength": 1, "maxLength": patch_validation.MAX_TAG_LENGTH},
            "description": "Added to the trace's top span, never removed. Printable characters only",
        },
        "idempotency_key": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": patch_validation.MAX_IDEMPOTENCY_KEY_LENGTH,
            "description": "Your name for this patch: it is saved once, however often the call is repeated."
            " Printable characters only",
        },
    },
}
SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"title": "One patch", **PATCH_SCHEMA},
        {
            "title": "List of patches",
            "type": "object",
            "required": ["patches"],
            "additionalProperties": False,
            "properties": {
                "patches": {"type": "array", "minItems": 1, "maxItems": MAX_BATCH_SIZE, "items": PATCH_SCHEMA}
            },
        },
    ]
}
EXAMPLE_PATCH = {
    "trace_id": openapi.EXAMPLE_TRACE_ID,
    "metadata": {"judge.score": 0.5, "judge.verdict": "partly right"},
}
EXAMPLES = {
    "One patch": {**EXAMPLE_PATCH, "tags": ["checked"], "idempotency_key": "run 7"},
    "List of patches": {
        "patches": [
            {**EXAMPLE_PATCH, "idempotency_key": "run 7, line 1"},
            {**EXAMPLE_PATCH, "metadata": {"judge.score": None}, "idempotency_key": "run 7, line 2"},
        ]
    },
}
