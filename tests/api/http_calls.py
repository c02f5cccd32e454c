"""Call the API as an application does."""

import json
from typing import Any

from django.test import Client

ITEMS_URL = "/api/v1/queues/answers/items"


def post(body: Any, token: str | None, url: str = ITEMS_URL, **headers: str) -> Any:
    """Send a body (bytes as they are, anything else as JSON) with this access token."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return Client().post(url, content, content_type="application/json", headers=headers)
