"""What a role may do, and what the others are told."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Membership, Role, User
from tests.cast import sign_in_client


@pytest.mark.parametrize(
    ("role", "allows"),
    [("reviewer", ["reviewer"]), ("lead", ["reviewer", "lead"]), ("admin", ["reviewer", "lead", "admin"])],
)
def test_it_ranks_the_roles(role: str, allows: list[str]) -> None:
    membership = Membership(role=role)

    assert [other for other in Role.values if membership.has_role(other)] == allows


def test_it_names_the_role_that_is_missing(reviewer_client: Client) -> None:
    response = reviewer_client.get("/p/support/keys/")

    assert response.status_code == 403
    assert "This page is for a admin" not in response.content.decode()
    assert "is for admins of the project" in response.content.decode()


def test_it_tells_a_foreign_project_as_one_that_is_not(outsider_client: Client, reviewer: User) -> None:
    foreign, none = (outsider_client.get(f"/p/{slug}/keys/").content.decode() for slug in ("support", "no-such"))

    assert "There is no such project among yours." in foreign
    assert "Support" not in foreign
    assert foreign.count("\n") == none.count("\n")


def test_it_keeps_roles_apart_by_project(reviewer: User, outsider: User) -> None:
    """An admin there is nothing here, and a reviewer here is nobody there."""
    assert sign_in_client(outsider).get("/p/elsewhere/keys/").status_code == 200
    assert sign_in_client(outsider).get("/p/support/").status_code == 404
    assert sign_in_client(reviewer).get("/p/elsewhere/").status_code == 404


def test_it_hides_what_a_role_cannot_open(reviewer_client: Client, admin_client: Client) -> None:
    seen, all_of_it = (client.get("/p/support/queues/").content for client in (reviewer_client, admin_client))

    for address in (b"/p/support/keys/", b"/p/support/audit/", b"/p/support/deliveries/", b"/queues/new/"):
        assert address not in seen
        assert address in all_of_it
