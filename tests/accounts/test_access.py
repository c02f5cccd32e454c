"""What each role may do, and what is hidden from others."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Membership, Role, User
from tests.cast import sign_in_client


@pytest.mark.parametrize(
    ("role", "included"),
    [("reviewer", ["reviewer"]), ("lead", ["reviewer", "lead"]), ("admin", ["reviewer", "lead", "admin"])],
)
def test_it_ranks_the_roles(role: str, included: list[str]) -> None:
    membership = Membership(role=role)

    assert [other for other in Role.values if membership.has_role(other)] == included


def test_it_names_the_missing_role(reviewer_client: Client) -> None:
    response = reviewer_client.get("/p/support/keys/")

    assert response.status_code == 403
    assert "This page is for a admin" not in response.content.decode()
    assert "is for admins of the project" in response.content.decode()


def test_it_refuses_a_foreign_project_like_an_unknown_one(outsider_client: Client, reviewer: User) -> None:
    foreign, unknown = (outsider_client.get(f"/p/{slug}/keys/").content.decode() for slug in ("support", "no-such"))

    assert "There is no such project" in foreign
    assert "Support" not in foreign
    assert foreign.count("\n") == unknown.count("\n")


def test_it_separates_roles_by_project(reviewer: User, outsider: User) -> None:
    """An admin of one project has no access to another."""
    assert sign_in_client(outsider).get("/p/elsewhere/keys/").status_code == 200
    assert sign_in_client(outsider).get("/p/support/").status_code == 404
    assert sign_in_client(reviewer).get("/p/elsewhere/").status_code == 404


def test_it_hides_links_that_a_role_cannot_open(reviewer_client: Client, admin_client: Client) -> None:
    reviewer_page, admin_page = (client.get("/p/support/queues/").content for client in (reviewer_client, admin_client))

    for path in (b"/p/support/keys/", b"/p/support/audit/", b"/p/support/deliveries/", b"/queues/new/"):
        assert path not in reviewer_page
        assert path in admin_page


def test_it_refuses_a_deactivated_member_like_an_outsider(reviewer: User) -> None:
    Membership.objects.filter(user=reviewer).update(is_active=False)

    assert sign_in_client(reviewer).get("/p/support/").status_code == 404
