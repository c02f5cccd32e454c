"""One view serves the page and, to htmx, the fragment that changes."""

import json

from django.contrib.messages import constants
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.test import Client

from reviewapp.queues.models import Queue, QueueItem
from tests.routes import ALL_ROUTES, Route, for_each_route, make_url_values

BOARD = "/p/support/queues/answers/"
HTMX = {"HX-Request": "true"}


def leave_message(client: Client, text: str) -> None:
    """Store a message for the next response, as a redirect does."""
    storage, redirect = CookieStorage(HttpRequest()), HttpResponse()
    storage.add(constants.SUCCESS, text)
    storage.update(redirect)
    client.cookies.update(redirect.cookies)


def test_it_serves_a_page(reviewer_client: Client, queue: Queue) -> None:
    assert reviewer_client.get(BOARD).content.lstrip().startswith(b"<!doctype html>")


def test_it_serves_htmx_a_fragment(reviewer_client: Client, queue: Queue) -> None:
    content = reviewer_client.get(BOARD, headers=HTMX).content.decode()

    assert content.lstrip().startswith('<div id="items">')
    assert "<html" not in content


def test_it_serves_a_boosted_link_a_page(reviewer_client: Client, queue: Queue) -> None:
    response = reviewer_client.get(BOARD, headers={**HTMX, "HX-Boosted": "true"})

    assert b"<html" in response.content


@for_each_route([route for route in ALL_ROUTES if route.role])
def test_it_varies_on_htmx(route: Route, admin_client: Client, item: QueueItem) -> None:
    assert "HX-Request" in admin_client.get(route.url(make_url_values(item)))["Vary"]


def test_it_appends_messages_to_a_fragment(reviewer_client: Client, queue: Queue) -> None:
    leave_message(reviewer_client, "Saved <b>well</b>.")
    content = reviewer_client.get(BOARD, headers=HTMX).content.decode()

    assert '<div id="messages" class="messages" role="status" hx-swap-oob="true">' in content
    assert "Saved &lt;b&gt;well&lt;/b&gt;." in content


def test_it_shows_a_message_once(reviewer_client: Client, queue: Queue) -> None:
    leave_message(reviewer_client, "Saved.")

    assert [reviewer_client.get(BOARD, headers=HTMX).content.count(b"Saved.") for _ in range(2)] == [1, 0]


def test_it_appends_nothing_without_messages(reviewer_client: Client, queue: Queue) -> None:
    assert b"hx-swap-oob" not in reviewer_client.get(BOARD, headers=HTMX).content


def test_it_shows_messages_within_a_page(reviewer_client: Client, queue: Queue) -> None:
    leave_message(reviewer_client, "Saved.")
    content = reviewer_client.get(BOARD).content.decode()

    assert content.count("Saved.") == 1
    assert "hx-swap-oob" not in content


def test_it_sends_htmx_the_target_of_a_redirect(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post(f"{BOARD}add/", {"ids": "7c1e5d2a9b3f4c8da1e60f2b4d6c9f04"}, headers=HTMX)

    assert (response.status_code, response.content) == (204, b"")
    location = json.loads(response["HX-Location"])
    page = lead_client.get(location["path"], headers={**HTMX, **location["headers"]}).content.decode()

    assert (location["path"], location["target"]) == (BOARD, "body")
    assert "<html" in page
    assert "1 trace added." in page


def test_it_keeps_the_page_after_the_session_has_ended(client: Client, queue: Queue) -> None:
    response = client.get(BOARD, headers=HTMX)

    assert (response.status_code, response["HX-Retarget"]) == (401, "#messages")
    assert f"/accounts/login/?next={BOARD}" in response.content.decode()


def test_it_links_sign_in_back_to_the_current_page(client: Client, queue: Queue) -> None:
    headers = {**HTMX, "HX-Current-URL": "http://testserver/p/support/items/7/?after=6"}
    response = client.post("/p/support/items/7/skip/", headers=headers)

    assert "/accounts/login/?next=/p/support/items/7/%3Fafter%3D6" in response.content.decode()


def test_it_refuses_to_link_back_to_another_site(client: Client, queue: Queue) -> None:
    response = client.get(BOARD, headers={**HTMX, "HX-Current-URL": "https://evil.example/"})

    assert f"/accounts/login/?next={BOARD}" in response.content.decode()


def test_it_shows_an_error_in_the_message_area(reviewer_client: Client, queue: Queue) -> None:
    response = reviewer_client.get("/p/support/items/999/", headers=HTMX)

    assert (response.status_code, response["HX-Retarget"]) == (404, "#messages")
    assert "There is no such item" in response.content.decode()


def test_it_redirects_without_htmx(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post(f"{BOARD}add/", {"ids": "7c1e5d2a9b3f4c8da1e60f2b4d6c9f04"})

    assert (response.status_code, response["Location"]) == (302, BOARD)


def test_it_refuses_to_let_the_client_choose_the_fragment(reviewer_client: Client, queue: Queue) -> None:
    headers = {**HTMX, "HX-Target": "main", "HX-Trigger": "secret"}

    assert reviewer_client.get(f"{BOARD}?part=base", headers=headers).content.lstrip().startswith(b'<div id="items">')
