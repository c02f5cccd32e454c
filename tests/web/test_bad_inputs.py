"""Whatever stands in an address, the answer is a page or a sentence, never a fault of ours."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from reviewapp.queues.models import QueueItem
from tests.routes import ALL, PARAMETER, Route, each, one_of_each

SOURCE = Path(settings.BASE_DIR) / "reviewapp"
READ = re.compile(
    r"""(?:GET|query)\.(?:get|getlist)\(\s*["'](\w+)["']|["'](\w+)["'] in request\.GET|_moment\(query, "(\w+)"\)"""
)
# Read from the source itself, so that a new parameter is tried from its first day on.
NAMES = sorted(
    {name for path in SOURCE.rglob("*.py") if "tracestore" not in path.parts
     for found in READ.findall(path.read_text()) for name in found if name}
)  # fmt: skip
TEXTS = [
    "", " ", "0", "-1", "1", "2.5", "1e9", "NaN", "9" * 19, "9" * 400, "1_0", "0x1", "true", "null",
    "\x00", "1\x00", "a=b\x00", "=", "a=", "=b", "a==b", "\u0661\u0662", "\u00b2", "\u202e", "\ufffd", "\U0010ffff",
    "2026-02-30", "0001-01-01", "9999-12-31T23:59:59+14:00", "2026-01-01T00:00:00+99:99", "2026-11-22_1",
    "2026-11-22T10:00:00+00:00_" + "9" * 30, "a" * 5_000, "'", '"', "<script>", "../..", "%", "%00", "{{ 7 }}", "\r\n",
]  # fmt: skip
NUMBERS = ["0", "9" * 18, "9" * 19, "9" * 40, "9" * 5_000]


def fine(client: Client, url: str) -> None:
    response = client.get(url)
    assert response.status_code < 500
    if response.streaming:
        b"".join(response.streaming_content)


def test_it_knows_the_parameters() -> None:
    assert {"page", "before", "state", "reviewer", "next", "from", "m"} <= set(NAMES)


@each([route for route in ALL if route.rule != "access token"])
def test_it_takes_any_value(route: Route, admin_client: Client, item: QueueItem) -> None:
    """Every text in all parameters at once; a view that stops at the first bad one is tried with each alone."""
    url = route.url(one_of_each(item))
    for text in TEXTS:
        assert admin_client.get(url, dict.fromkeys(NAMES, text)).status_code < 500


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_any_value_of_one(name: str, admin_client: Client, item: QueueItem) -> None:
    values = one_of_each(item)
    for route in ALL:
        if route.rule != "access token":
            for text in ("\x00", "9" * 40, "\u0661", "a=\x00", "\U0010ffff"):
                assert admin_client.get(route.url(values), {name: text}).status_code < 500


RAW = [
    "?page=%00",
    "?page=%ff%fe",
    "?page=1&page=2",
    "?m=a%3D1&m=a%3D1&m=b",
    "?" + "&m=k%3Dv" * 300,
    "?%00=%00",
    "?&&==&",
    "?page",
]


@each([route for route in ALL if route.rule != "access token"])
def test_it_takes_any_query(route: Route, admin_client: Client, item: QueueItem) -> None:
    url = route.url(one_of_each(item))
    for query in RAW:
        fine(admin_client, url + query)


@each([route for route in ALL if PARAMETER.search(route.pattern)])
def test_it_takes_any_address(route: Route, admin_client: Client, item: QueueItem) -> None:
    values = one_of_each(item)
    for name in route.parameters:
        for text in ("x", "%00", "..", "a%0Ab", "%ff", *NUMBERS):
            for response in (admin_client.get(url := route.url({**values, name: text})), admin_client.post(url)):
                assert response.status_code < 500
