"""Every route has an access rule and enforces it."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Role
from reviewapp.queues.models import QueueItem
from tests.routes import ALL_ROUTES, PROJECT_ROUTES, ROLES, Route, for_each_route, make_url_values

# A figure is no object: each project has the same ones.
OBJECT_ROUTES = [route for route in PROJECT_ROUTES if route.parameters - {"figure"} > {"project"}]
UNKNOWN_VALUES = {
    "queue": "no-such-queue",
    "item": 10**9,
    "patch": 10**9,
    "token": 10**9,
    "webhook": UUID(int=1),
    "message": 10**9,
    "rule": 10**9,
    "upload": 10**9,
    "view": 10**9,
    "bulk": 10**9,
    "key": UUID(int=1),
    "review": 10**9,
    "settlement": 10**9,
    "trace_id": UUID(int=1),
    "span_id": UUID(int=1),
    "name": "none",
    "person": 10**9,
    "link": 10**9,
    "figure": "none",
}


@pytest.fixture
def values(item: QueueItem) -> dict[str, object]:
    return make_url_values(item)


@pytest.fixture
def members(reviewer_client: Client, lead_client: Client, admin_client: Client) -> dict[str, Client]:
    return {"reviewer": reviewer_client, "lead": lead_client, "admin": admin_client}


def get_and_post(client: Client, url: str) -> list[Any]:
    """The responses to a GET and a POST."""
    return [client.get(url), client.post(url)]


@for_each_route(ALL_ROUTES)
def test_it_has_an_access_rule(route: Route) -> None:
    assert route.rule in {"anyone", "signed in", "access token", *(f"member: {role}" for role in ROLES)}


@for_each_route([route for route in ALL_ROUTES if "project" in route.parameters])
def test_it_requires_a_role_in_each_project(route: Route) -> None:
    assert route.role in ROLES


@for_each_route([route for route in ALL_ROUTES if route.rule != "anyone"])
def test_it_refuses_strangers(route: Route, client: Client, values: dict[str, object]) -> None:
    for response in get_and_post(client, route.url(values)):
        if route.rule == "access token":
            assert response.status_code in {401, 404, 405}
        else:
            assert response.status_code == 302
            assert response["Location"].startswith("/accounts/login/?next=/")


@for_each_route([route for route in ALL_ROUTES if route.rule == "access token"])
def test_it_refuses_a_session_for_a_token(route: Route, admin_client: Client, values: dict[str, object]) -> None:
    assert {response.status_code for response in get_and_post(admin_client, route.url(values))} <= {401, 404, 405}


@for_each_route(PROJECT_ROUTES)
def test_it_hides_the_project_from_outsiders(route: Route, outsider_client: Client, values: dict[str, object]) -> None:
    assert [response.status_code for response in get_and_post(outsider_client, route.url(values))] == [404, 404]


@for_each_route([route for route in PROJECT_ROUTES if route.role != Role.REVIEWER])
def test_it_refuses_a_role_that_is_too_low(route: Route, members: dict[str, Client], values: dict[str, object]) -> None:
    for role in ROLES[: ROLES.index(route.role)]:
        assert [response.status_code for response in get_and_post(members[role], route.url(values))] == [403, 403]


@for_each_route(PROJECT_ROUTES)
def test_it_allows_the_role(route: Route, members: dict[str, Client], values: dict[str, object]) -> None:
    for role in ROLES[ROLES.index(route.role) :]:
        assert members[role].get(route.url(values)).status_code in {200, 204, 302, 405}


@for_each_route([route for route in ALL_ROUTES if route.rule == "anyone"])
def test_it_is_open_to_strangers(route: Route, client: Client, values: dict[str, object]) -> None:
    assert client.get(route.url(values)).status_code in {200, 405}


@for_each_route(OBJECT_ROUTES)
def test_it_refuses_a_foreign_object_like_an_unknown_one(
    route: Route, outsider_client: Client, values: dict[str, object]
) -> None:
    """The outsider is an admin of the project in the URL; the other objects in it belong to another project."""
    foreign, unknown = (route.url({**others, "project": "elsewhere"}) for others in (values, UNKNOWN_VALUES))

    statuses = [response.status_code for response in get_and_post(outsider_client, foreign)]
    assert statuses == [response.status_code for response in get_and_post(outsider_client, unknown)]
    # The reviews of a trace are a list, which is empty for a foreign trace.
    assert route.pattern.endswith("/reviews/") or set(statuses) <= {404, 405}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_it_answers_pages_by_get_and_post_only(
    method: str, client: Client, outsider_client: Client, members: dict[str, Client], values: dict[str, object]
) -> None:
    for route in PROJECT_ROUTES:
        url = route.url(values)
        statuses = [visitor.generic(method, url).status_code for visitor in (client, outsider_client)]
        statuses += [members[role].generic(method, url).status_code for role in ("reviewer", "admin")]
        assert (route.pattern, statuses) == (route.pattern, [302, 404, 405 if route.role == "reviewer" else 403, 405])


def test_it_refuses_trace_on_every_route(client: Client, admin_client: Client, values: dict[str, object]) -> None:
    urls = [route.url(values) for route in ALL_ROUTES]
    assert {anyone.generic("TRACE", url).status_code for url in urls for anyone in (client, admin_client)} == {405}


def test_it_claims_nothing_by_get(admin_client: Client, values: dict[str, object]) -> None:
    for route in PROJECT_ROUTES:
        admin_client.get(route.url(values))
        assert not QueueItem.objects.exclude(claimed_by=None).exists(), route.pattern
