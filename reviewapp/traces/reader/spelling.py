"""How a person reads messages for the rest of their session: rendered, or as they were written."""

from collections.abc import Mapping, MutableMapping
from typing import Any

_SESSION_KEY = "reads_as_written"


def remember(session: MutableMapping[str, Any], params: Mapping[str, str]) -> dict[str, str]:
    """Return a request's query parameters with the session's choice; one for a whole transcript is remembered."""
    fields = {name: params.get(name, "") for name in params}
    choice = fields.get("as")
    if choice in ("written", "rendered") and "turn" not in fields and "piece" not in fields:
        if choice == "written":
            session[_SESSION_KEY] = True
        else:
            session.pop(_SESSION_KEY, None)
    if choice is None and session.get(_SESSION_KEY):
        fields["as"] = "written"
    return fields
