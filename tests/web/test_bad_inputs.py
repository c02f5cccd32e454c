"""Whatever stands in an address, the answer is a page or a sentence, never a fault of ours."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client

from reviewapp.queues.models import QueueItem
from tests.routes import ALL_ROUTES, Route, for_each_route, make_url_values

SOURCE = Path(settings.BASE_DIR) / "reviewapp"
READ = re.compile(
    r"""(?:GET|query|params)\.get(?:list)?\(\s*"(\w+)"|"(\w+)" in request\.GET|_moment\((?:query|params), "(\w+)"\)"""
)
OPEN = [route for route in ALL_ROUTES if route.rule != "access token"]
TEXTS = [
    "", "0", "-1", "NaN", "9" * 19, "9" * 400, "1_0", "\x00", "a=b\x00", "=", "\u0661", "\u202e",
    "\U0010ffff", "2026-02-30", "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00+14:00", "2026-11-22_1",
    "2026-11-22T10:00:00+00:00_" + "9" * 30, "a" * 5_000, "<script>'\"", "{{ 7 }}%00\r\n",
]  # fmt: skip
RAW = [
    "?page=%00", "?page=%ff%fe", "?page=1&page=2", "?m=a%3D1&m=a%3D1&m=b", "?" + "&m=k%3Dv" * 300, "?%00=%00", "?&&==&",
]  # fmt: skip


def names_of(route: Route) -> list[str]:
    """The parameters that the route's room reads, found in its source: a new one is tried from its first day on."""
    room = SOURCE / (route.module.split(".")[1:2] or ["."])[0]
    found = {name for path in room.rglob("*.py") for names in READ.findall(path.read_text()) for name in names if name}
    return sorted(found)


def shows(client: Client, url: str, query: dict[str, str] | None = None) -> Any:
    response: Any = client.get(url, query)
    assert response.status_code < 500
    if response.streaming:
        list(response.streaming_content)
    return response


def test_it_knows_the_parameters() -> None:
    assert {"page", "before", "state", "reviewer", "next", "from", "m"} <= {
        name for route in ALL_ROUTES for name in names_of(route)
    }


@for_each_route([route for route in OPEN if names_of(route)])
def test_it_takes_any_value(route: Route, admin_client: Client, item: QueueItem) -> None:
    """In all its parameters at once, and in each alone: a view may stop at the first bad one."""
    url, names = route.url(make_url_values(item)), names_of(route)
    for text in TEXTS:
        if shows(admin_client, url, dict.fromkeys(names, text)).status_code == 405:
            return
    for name in names:
        for text in ("\x00", "9" * 40, "\u0661"):
            shows(admin_client, url, {name: text})


@for_each_route(OPEN)
def test_it_takes_any_query(route: Route, admin_client: Client, item: QueueItem) -> None:
    url = route.url(make_url_values(item))
    for query in RAW:
        if shows(admin_client, url + query).status_code == 405:
            return


@for_each_route([route for route in ALL_ROUTES if route.parameters])
def test_it_takes_any_address(route: Route, admin_client: Client, item: QueueItem) -> None:
    values = make_url_values(item)
    for name in route.parameters:
        for text in ("%00", "..", "0", "9" * 18, "9" * 19, "9" * 5_000):
            url = route.url({**values, name: text})
            shows(admin_client, url)
            assert admin_client.post(url).status_code < 500
