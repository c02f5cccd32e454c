"""One view serves the page and, to htmx, the part of it that changes."""

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
    """A message that waits for the next answer, as a redirect leaves it."""
    storage, left = CookieStorage(HttpRequest()), HttpResponse()
    storage.add(constants.SUCCESS, text)
    storage.update(left)
    client.cookies.update(left.cookies)


def test_it_answers_with_a_page(reviewer_client: Client, queue: Queue) -> None:
    assert reviewer_client.get(BOARD).content.lstrip().startswith(b"<!doctype html>")


def test_it_answers_htmx_with_a_part(reviewer_client: Client, queue: Queue) -> None:
    shown = reviewer_client.get(BOARD, headers=HTMX).content.decode()

    assert shown.lstrip().startswith('<div id="items">')
    assert "<html" not in shown


def test_it_answers_a_boosted_link_with_a_page(reviewer_client: Client, queue: Queue) -> None:
    response = reviewer_client.get(BOARD, headers={**HTMX, "HX-Boosted": "true"})

    assert b"<html" in response.content


@for_each_route([route for route in ALL_ROUTES if route.role])
def test_it_varies_on_htmx(route: Route, admin_client: Client, item: QueueItem) -> None:
    assert "HX-Request" in admin_client.get(route.url(make_url_values(item)))["Vary"]


def test_it_puts_messages_behind_a_part(reviewer_client: Client, queue: Queue) -> None:
    leave_message(reviewer_client, "Saved <b>well</b>.")
    shown = reviewer_client.get(BOARD, headers=HTMX).content.decode()

    assert '<div id="messages" class="messages" role="status" hx-swap-oob="true">' in shown
    assert "Saved &lt;b&gt;well&lt;/b&gt;." in shown


def test_it_shows_a_message_once(reviewer_client: Client, queue: Queue) -> None:
    leave_message(reviewer_client, "Saved.")

    assert [reviewer_client.get(BOARD, headers=HTMX).content.count(b"Saved.") for _ in range(2)] == [1, 0]


def test_it_adds_nothing_where_there_is_no_message(reviewer_client: Client, queue: Queue) -> None:
    assert b"hx-swap-oob" not in reviewer_client.get(BOARD, headers=HTMX).content


def test_it_shows_messages_in_a_page_in_their_place(reviewer_client: Client, queue: Queue) -> None:
    leave_message(reviewer_client, "Saved.")
    shown = reviewer_client.get(BOARD).content.decode()

    assert shown.count("Saved.") == 1
    assert "hx-swap-oob" not in shown


def test_it_tells_htmx_where_to_go(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post(f"{BOARD}add/", {"ids": "7c1e5d2a9b3f4c8da1e60f2b4d6c9f04"}, headers=HTMX)

    assert (response.status_code, response.content) == (204, b"")
    told = json.loads(response["HX-Location"])
    page = lead_client.get(told["path"], headers={**HTMX, **told["headers"]}).content.decode()

    assert (told["path"], told["target"]) == (BOARD, "body")
    assert "<html" in page
    assert "1 trace added." in page


def test_it_keeps_the_page_of_somebody_whose_session_has_ended(client: Client, queue: Queue) -> None:
    response = client.get(BOARD, headers=HTMX)

    assert (response.status_code, response["HX-Retarget"]) == (401, "#messages")
    assert f"/accounts/login/?next={BOARD}" in response.content.decode()


def test_it_comes_back_to_the_page_one_was_on(client: Client, queue: Queue) -> None:
    here = {**HTMX, "HX-Current-URL": "http://testserver/p/support/items/7/?after=6"}
    response = client.post("/p/support/items/7/skip/", headers=here)

    assert "/accounts/login/?next=/p/support/items/7/%3Fafter%3D6" in response.content.decode()


def test_it_comes_back_to_no_other_site(client: Client, queue: Queue) -> None:
    response = client.get(BOARD, headers={**HTMX, "HX-Current-URL": "https://evil.example/"})

    assert f"/accounts/login/?next={BOARD}" in response.content.decode()


def test_it_shows_a_fault_beside_what_was_typed(reviewer_client: Client, queue: Queue) -> None:
    response = reviewer_client.get("/p/support/items/999/", headers=HTMX)

    assert (response.status_code, response["HX-Retarget"]) == (404, "#messages")
    assert "There is no such item" in response.content.decode()


def test_it_redirects_whoever_has_no_htmx(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post(f"{BOARD}add/", {"ids": "7c1e5d2a9b3f4c8da1e60f2b4d6c9f04"})

    assert (response.status_code, response["Location"]) == (302, BOARD)


def test_it_lets_no_client_choose_the_part(reviewer_client: Client, queue: Queue) -> None:
    asked = {**HTMX, "HX-Target": "main", "HX-Trigger": "secret"}

    assert reviewer_client.get(f"{BOARD}?part=base", headers=asked).content.lstrip().startswith(b'<div id="items">')
