"""Whatever a URL contains, the response is a page or a sentence, never a server error."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client

from reviewapp.queues.models import QueueItem
from tests.routes import ALL_ROUTES, Route, for_each_route, make_url_values

SOURCE = Path(settings.BASE_DIR) / "reviewapp"
PARAMETER_READ = re.compile(
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


def list_parameters(route: Route) -> list[str]:
    """The query parameters that the route's package reads, from its source, so that new ones are tested too."""
    package = SOURCE / (route.module.split(".")[1:2] or ["."])[0]
    names = {
        name
        for path in package.rglob("*.py")
        for matches in PARAMETER_READ.findall(path.read_text())
        for name in matches
        if name
    }
    return sorted(names)


def get_page(client: Client, url: str, query: dict[str, str] | None = None) -> Any:
    response: Any = client.get(url, query)
    assert response.status_code < 500
    if response.streaming:
        list(response.streaming_content)
    return response


def test_it_reads_the_parameters_from_the_source() -> None:
    assert {"page", "before", "state", "reviewer", "next", "from", "m"} <= {
        name for route in ALL_ROUTES for name in list_parameters(route)
    }


@for_each_route([route for route in OPEN if list_parameters(route)])
def test_it_survives_any_value(route: Route, admin_client: Client, item: QueueItem) -> None:
    """In all parameters at once, and in each alone: a view may stop at the first invalid one."""
    url, names = route.url(make_url_values(item)), list_parameters(route)
    for text in TEXTS:
        if get_page(admin_client, url, dict.fromkeys(names, text)).status_code == 405:
            return
    for name in names:
        for text in ("\x00", "9" * 40, "\u0661"):
            get_page(admin_client, url, {name: text})


@for_each_route(OPEN)
def test_it_survives_any_query_string(route: Route, admin_client: Client, item: QueueItem) -> None:
    url = route.url(make_url_values(item))
    for query in RAW:
        if get_page(admin_client, url + query).status_code == 405:
            return


@for_each_route([route for route in ALL_ROUTES if route.parameters])
def test_it_survives_any_path(route: Route, admin_client: Client, item: QueueItem) -> None:
    values = make_url_values(item)
    for name in route.parameters:
        for text in ("%00", "..", "0", "9" * 18, "9" * 19, "9" * 5_000):
            url = route.url({**values, name: text})
            get_page(admin_client, url)
            assert admin_client.post(url).status_code < 500
