"""A body that names a charset other than UTF-8 is refused; read as another, its texts would change in silence."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.queues.models import Queue

ADD = "/p/support/queues/answers/add/"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("charset", ["iso-8859-1", "UTF-16", "latin1", '"cp1252"', "utf-7", ""])
def test_it_refuses_a_form(lead_client: Client, queue: Queue, charset: str) -> None:
    response = lead_client.post(ADD, b"ids=x", content_type=f"{FORM}; charset={charset}")

    assert response.status_code == 415
    assert "charset other than UTF-8. Nothing was changed." in response.content.decode()


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"utf-8"'])
def test_it_accepts_utf_8(lead_client: Client, queue: Queue, charset: str) -> None:
    assert lead_client.post(ADD, b"ids=x", content_type=f"{FORM}; charset={charset}").status_code == 422


def test_it_refuses_a_charset_that_nobody_knows(lead_client: Client, queue: Queue) -> None:
    response = lead_client.generic("POST", ADD, b"ids=x", content_type=f"{FORM}; charset=nonsense")

    assert response.status_code == 415


def test_it_refuses_a_call_of_the_api(client: Client, queue: Queue) -> None:
    response: Any = client.post("/api/v1/patches", b"{}", content_type="application/json; charset=utf-16")

    assert response.status_code == 415
    assert "UTF-8" in response.json()["error"]


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/nothing", "/api/"])
def test_it_answers_an_unknown_url_of_the_api_in_json(client: Client, db: None, method: str, path: str) -> None:
    response = getattr(client, method)(path)

    assert response.status_code == 404
    assert response.json() == {"error": "The URL is wrong, or the page was deleted."}
