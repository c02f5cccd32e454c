"""A request of which something would be dropped or replaced is refused with a sentence, and nothing is saved."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.queues.models import Queue, QueueItem
from reviewapp.web.form_encoding import HAS_FILE, INCOMPLETE, NOT_A_FORM, NOT_UTF8
from tests.routes import ALL_ROUTES, Route, for_each_route, make_url_values

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"
# Probes read nothing of a request and answer whatever it holds.
PROBES = ("health", "healthz", "ready", "readyz")
PAGE_ROUTES = [route for route in ALL_ROUTES if not route.pattern.startswith("api/") and route.pattern not in PROBES]


def make_part(headers: str, content: bytes) -> bytes:
    return f"--B\r\nContent-Disposition: form-data; {headers}\r\n\r\n".encode() + content + b"\r\n--B--\r\n"


def post(client: Client, item: QueueItem, body: bytes, content_type: str) -> Any:
    return client.post(f"/p/support/items/{item.pk}/skip/", body, content_type=content_type)


@for_each_route(PAGE_ROUTES)
def test_it_refuses_broken_utf8_on_every_page(route: Route, admin_client: Client, item: QueueItem) -> None:
    url = route.url(make_url_values(item))
    for response in (admin_client.post(url, b"name=a%FFb", content_type=URLENCODED), admin_client.get(f"{url}?m=%FF")):
        assert response.status_code == 400
        assert NOT_UTF8 in response.text


@pytest.mark.parametrize("query", ["a=%FF", "a=%C3&b=%A9", "%ED%A0%80=1", "a=\xff"])
def test_it_refuses_a_broken_query_of_the_api(client: Client, query: str) -> None:
    response: Any = client.get("/api/v1/openapi.json", QUERY_STRING=query)
    assert (response.status_code, response.json()["error"]) == (400, f"{NOT_UTF8} Nothing was changed.")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"for=later&reason=a\xffb", URLENCODED, 400, NOT_UTF8),
        (make_part('name="reason"', b"a\xff"), MULTIPART, 400, NOT_UTF8),
        (make_part('name="reason"\r\nContent-Transfer-Encoding: base64', b"/w=="), MULTIPART, 400, NOT_UTF8),
        (make_part('name="reason"; filename="x.txt"', b"text"), MULTIPART, 400, HAS_FILE),
        (make_part("nothing", b"text"), MULTIPART, 400, INCOMPLETE),
        (make_part('name="reason"\r\nContent-Transfer-Encoding: base64', b"!!!"), MULTIPART, 400, INCOMPLETE),
        (
            make_part('name="reason"\r\nContent-Transfer-Encoding: quoted-printable', b"a=3D"),
            MULTIPART,
            400,
            INCOMPLETE,
        ),
        (make_part('name="reason"\r\nContent-Type: text/plain; charset=latin-1', b"a"), MULTIPART, 400, INCOMPLETE),
        (make_part('name="reason"\r\nContent-Disposition: form-data; name="x"', b"a"), MULTIPART, 400, INCOMPLETE),
        (make_part('name="reason"', b"cut off")[:-9], MULTIPART, 400, INCOMPLETE),
        (make_part('name="reason"', b"cut off")[:-4], MULTIPART, 400, INCOMPLETE),
        (b"before" + make_part('name="reason"', b"text"), MULTIPART, 400, INCOMPLETE),
        (make_part('name="reason"', b"text") + b"after", MULTIPART, 400, INCOMPLETE),
        (make_part('name="reason"', b"text"), "multipart/form-data; boundary=other", 400, INCOMPLETE),
        (b'{"for": "later"}', "application/json", 415, NOT_A_FORM),
        (b"for=later", "text/plain", 415, NOT_A_FORM),
    ],
)
def test_it_refuses_what_would_be_lost(
    reviewer_client: Client, item: QueueItem, body: bytes, content_type: str, status: int, reason: str
) -> None:
    response = post(reviewer_client, item, body, content_type)
    assert (response.status_code, reason in response.text) == (status, True)
    assert not item.skips.exists()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("for=later&reason=é �".encode(), URLENCODED),
        (b"for=later&reason=%C3%A9+%EF%BF%BD", URLENCODED),
        (make_part('name="for"', b"later")[:-7] + make_part('name="reason"', "é �".encode()), MULTIPART),
    ],
)
def test_it_accepts_any_valid_text(reviewer_client: Client, item: QueueItem, body: bytes, content_type: str) -> None:
    post(reviewer_client, item, body, content_type)
    assert item.skips.get().reason == "é �"


def test_it_explains_to_htmx_in_the_message_area(reviewer_client: Client, item: QueueItem) -> None:
    response = reviewer_client.post(
        f"/p/support/items/{item.pk}/skip/", b"reason=%FF", content_type=URLENCODED, headers={"HX-Request": "true"}
    )
    assert (response.status_code, response["HX-Retarget"]) == (400, "#messages")


def test_it_accepts_every_box_of_a_long_list(lead_client: Client, queue: Queue) -> None:
    response = lead_client.post("/p/support/deliveries/retry/", {"patch": [str(number) for number in range(1, 1_001)]})
    assert response.status_code == 302
