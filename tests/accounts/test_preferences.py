"""A person's preferences: the page, what it refuses, and where they act."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import User
from reviewapp.accounts.preferences import SHORTCUTS, Preferences
from reviewapp.queues.models import QueueItem

URL = "/accounts/preferences/"
FORM = {"theme": "dark", "density": "compact", "advances": "on", "snippets": "Left out a step.\n\nWrong order"}


def test_it_saves_what_a_person_sets(reviewer_client: Client, reviewer: User) -> None:
    reviewer_client.post(URL, {**FORM, "key_skip": "."})
    reviewer.refresh_from_db()

    assert reviewer.preferences == Preferences(
        "dark", "compact", advances=True, own_keys={"skip": "."}, snippets=("Left out a step.", "Wrong order")
    )
    page = reviewer_client.get(URL).text
    assert 'data-theme="dark" data-density="compact"' in page
    assert "Left out a step.\nWrong order</textarea>" in page


def test_it_shows_the_own_key_where_it_acts(reviewer_client: Client, item: QueueItem) -> None:
    reviewer_client.post(URL, {**FORM, "key_skip": "."})
    page = reviewer_client.get(f"/p/support/items/{item.pk}/").text

    assert "Skip <kbd>.</kbd>" in page
    assert 'data-snippet="Wrong order" data-key="2"' in page


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"key_skip": "n"}, "have the same key"),
        ({"key_skip": "3"}, "no other meaning"),
        ({"key_skip": "ab"}, "no other meaning"),
        ({"key_skip": "\x00"}, "no other meaning"),
        ({"theme": "pink"}, "Select a valid choice"),
        ({"snippets": "x" * 501}, "at most 500 characters"),
        ({"snippets": "\n".join("0123456789")}, "There are 10 snippets"),
    ],
)
def test_it_refuses_and_keeps_what_was_typed(
    reviewer_client: Client, reviewer: User, changes: dict[str, str], error: str
) -> None:
    response: Any = reviewer_client.post(URL, FORM | changes)
    reviewer.refresh_from_db()

    assert response.status_code == 422
    assert error in response.text
    assert reviewer.preferences == Preferences()


def test_it_asks_for_a_sign_in(client: Client) -> None:
    assert client.get(URL)["Location"].startswith("/accounts/login/")


def test_it_opens_items_at_the_tab_used_last(reviewer_client: Client, item: QueueItem) -> None:
    url = f"/p/support/items/{item.pk}/"
    reviewer_client.get(f"{url}reading/?tab=metadata")
    assert reviewer_client.get(url).context["reading"].query.tab == "transcript"
    reviewer_client.post(URL, {**FORM, "keeps_tab": "on"})
    reviewer_client.get(f"{url}reading/?tab=metadata")
    assert reviewer_client.get(url).context["reading"].query.tab == "metadata"


def test_it_gives_every_shortcut_its_own_key() -> None:
    keys = [key for key, _ in SHORTCUTS.values()]
    assert len(keys) == len(set(keys))
