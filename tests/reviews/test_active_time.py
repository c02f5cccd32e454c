"""The time that an item was on the reviewer's screen, sent with the form."""

import pytest
from django.test import Client

from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Draft, Review


def post_review(client: Client, item: QueueItem, seconds: str | None) -> Review:
    fields = {"score": "1", "version": "0"} | ({} if seconds is None else {"active_seconds": seconds})
    assert client.post(f"/p/support/items/{item.pk}/", fields).status_code == 302
    return Review.objects.get()


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("0", 0), ("42", 42), ("3600", 3600), ("999999", 3600), (None, None), ("", None), ("-5", None), ("1.5", None),
     ("9" * 30, None), ("٣", None), ("NaN", None), ("\x00", None)],
)  # fmt: skip
def test_it_stores_what_the_browser_measured(
    reviewer_client: Client, item: QueueItem, sent: str | None, stored: int | None
) -> None:
    assert post_review(reviewer_client, item, sent).active_seconds == stored


def test_it_is_no_part_of_a_draft(reviewer_client: Client, item: QueueItem) -> None:
    fields = {"score": "1", "version": "0", "active_seconds": "9"}
    assert reviewer_client.post(f"/p/support/items/{item.pk}/draft/", fields).status_code == 204
    assert "active_seconds" not in Draft.objects.get().fields
