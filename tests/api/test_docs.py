"""`/api/v1/docs`: the API described on a page of our own, for anyone."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
URL = "/api/v1/docs"


@pytest.fixture
def page(client: Client) -> str:
    response = client.get(URL)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def operations(client: Client) -> dict[str, Any]:
    """Each operation of the OpenAPI description, by method and path."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    return {f"{method.upper()} {path}": operation for path in paths for method, operation in paths[path].items()}


def section(page: str, operation: dict[str, Any]) -> str:
    (content,) = re.findall(rf'<section[^>]* id="{operation["operationId"]}".*?</section>', page, re.DOTALL)
    return unescape(content)


def test_it_lists_every_endpoint(page: str, operations: dict[str, Any]) -> None:
    for title, operation in operations.items():
        assert f'<a href="#{operation["operationId"]}"><code>{title}</code></a>' in page
        assert f"<code>{title}</code>" in section(page, operation)


def test_it_lists_every_parameter_and_field(page: str, operations: dict[str, Any]) -> None:
    post_items = section(page, operations["POST /api/v1/queues/{queue}/items"])
    post_patches = section(page, operations["POST /api/v1/patches"])
    get_patch = section(page, operations["GET /api/v1/patches/{patch}"])

    for field in ("queue", "items", "items[].trace_id", "items[].priority", "bring_back", "added", "error", "line"):
        assert f"<code>{field}</code>" in post_items
    for field in ("Idempotency-Key", "metadata", "tags", "patches[].idempotency_key", "patches[].is_new", "warnings"):
        assert f"<code>{field}</code>" in post_patches
    for field in ("patch", "means", "carried_by.state", "confirmed_at"):
        assert f"<code>{field}</code>" in get_patch


def test_it_shows_each_limit(page: str, operations: dict[str, Any]) -> None:
    post_items = section(page, operations["POST /api/v1/queues/{queue}/items"])
    post_patches = section(page, operations["POST /api/v1/patches"])

    for limit in ("1 to 1,000 entries", "At most 300 characters", "-1,000,000 to 1,000,000"):
        assert limit in post_items
    for limit in ("1 to 100 entries", "At most 20 entries", "1 to 60 characters each", "1 to 200 characters per key"):
        assert limit in post_patches


def test_it_shows_every_response(page: str, operations: dict[str, Any]) -> None:
    for operation in operations.values():
        content = section(page, operation)
        for status, response in operation["responses"].items():
            assert f"<b>{status}</b>" in content
            assert response["description"] in content


def test_it_shows_an_example_call_of_every_endpoint(page: str, operations: dict[str, Any]) -> None:
    commands = [re.findall(r"curl -X (\w+) '(\S+)'", section(page, operation)) for operation in operations.values()]

    assert [set(command) for command in commands] == [
        {("GET", "http://testserver/api/v1/queues")},
        {("POST", "http://testserver/api/v1/queues")},
        {("GET", "http://testserver/api/v1/queues/answers")},
        {("PATCH", "http://testserver/api/v1/queues/answers")},
        {("POST", "http://testserver/api/v1/queues/answers/items")},
        {("GET", "http://testserver/api/v1/queues/answers/items")},
        {("DELETE", "http://testserver/api/v1/queues/answers/items/4711")},
        {("POST", "http://testserver/api/v1/queues/answers/items/4711/requeue")},
        {("GET", "http://testserver/api/v1/queues/answers/reviews")},
        {("POST", "http://testserver/api/v1/queues/answers/uploads")},
        {("GET", "http://testserver/api/v1/queues/answers/uploads/7")},
        {("POST", "http://testserver/api/v1/patches")},
        {("GET", "http://testserver/api/v1/patches/12")},
    ]


def test_it_names_no_other_host(page: str) -> None:
    assert set(re.findall(r"(?:https?:)?//[^/'\"\s]+", page)) <= {"http://testserver"}


def test_it_has_no_inline_script_or_style(page: str) -> None:
    assert not re.search(r"<style\b|\sstyle\s*=|\son[a-z]+\s*=|javascript:", page, re.IGNORECASE)
    assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)", page, re.IGNORECASE)


def test_it_is_open_to_strangers_and_members(client: Client, reviewer_client: Client) -> None:
    assert [visitor.get(URL).status_code for visitor in (client, reviewer_client)] == [200, 200]


def test_it_refuses_to_be_posted_to(client: Client) -> None:
    assert client.post(URL).status_code == 405


def test_it_is_linked_from_the_keys_page(admin_client: Client) -> None:
    assert f'href="{URL}"' in admin_client.get("/p/support/keys/").text
