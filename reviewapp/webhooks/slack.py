"""One sentence about an event, as Slack, Mattermost and other compatible chats take it."""

from collections.abc import Mapping
from typing import Any

from reviewapp.lib.shortening import shorten
from reviewapp.webhooks.models import Event

# Characters of a value that are shown; the sentence is for people, not for programs.
MAX_VALUE_LENGTH = 300
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def write_sentence(event: Event, data: Mapping[str, Any]) -> str:
    """Say what happened. Typed text cannot become a link, a mention or a channel-wide call."""
    values = _Values({name: escape(str(value)) for name, value in data.items() if value is not None})
    return _SENTENCES[event].format_map(values)


def escape(text: str) -> str:
    """Shorten a value and escape the three characters that Slack reads as markup."""
    return "".join(_ENTITIES.get(char, char) for char in shorten(text, MAX_VALUE_LENGTH))


class _Values(dict[str, str]):
    """The values of a sentence; one that is missing has none."""

    def __missing__(self, key: str) -> str:
        return "(none)"


_SENTENCES = {
    Event.REVIEW_SUBMITTED: "{reviewer} reviewed trace {trace_id} in {queue}: score {score}.",
    Event.REVIEW_SETTLED: "{settled_by} settled the reviews of trace {trace_id} in {queue}.",
    Event.REVIEW_SENT_BACK: (
        "{sent_back_by} sent the review of trace {trace_id} in {queue} back to {sent_to}: {comment}"
    ),
    Event.QUEUE_COMPLETED: "Queue {queue} is completed: nothing is left to review.",
    Event.DELIVERY_PARKED: "Delivery {delivery} for trace {trace_id} is parked: {error}",
    Event.TEST: "This is a test of a webhook of the review desk's project {project}.",
}
