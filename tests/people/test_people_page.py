"""The People page."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Membership, User
from reviewapp.accounts.sign_in_models import Session

PAGE = "/p/support/people/"


def url(user: User, act: str) -> str:
    return f"{PAGE}{Membership.objects.get(user=user).pk}/{act}/"


def test_it_lists_people_with_roles(admin_client: Client, reviewer: User) -> None:
    text = admin_client.get(PAGE).text

    assert "Role of reviewer" in text
    assert "<option selected>admin</option>" in text


def test_it_changes_a_role(admin_client: Client, reviewer: User) -> None:
    response = admin_client.post(url(reviewer, "role"), {"role": "lead"}, follow=True)

    assert "reviewer now has the role lead." in response.text
    assert Membership.objects.get(user=reviewer).role == "lead"


@pytest.mark.parametrize("role", ["", "owner", "ADMIN", "a\x00"])
def test_it_refuses_an_unknown_role(admin_client: Client, reviewer: User, role: str) -> None:
    assert admin_client.post(url(reviewer, "role"), {"role": role}).status_code == 422
    assert Membership.objects.get(user=reviewer).role == "reviewer"


@pytest.mark.parametrize(("act", "fields"), [("role", {"role": "lead"}), ("deactivate", {}), ("remove", {})])
def test_it_protects_the_last_admin(admin_client: Client, admin: User, act: str, fields: dict[str, str]) -> None:
    response = admin_client.post(url(admin, act), fields)

    assert response.status_code == 409
    assert "This is the project&#x27;s only admin. Nothing was changed." in response.text


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        ("deactivate", "has no access any more."),
        ("remove", "was removed from the project."),
        ("sign-out", "was signed out"),
    ],
)
def test_it_ends_access(admin_client: Client, reviewer: User, reviewer_client: Client, act: str, sentence: str) -> None:
    response = admin_client.post(url(reviewer, act), follow=True)

    assert f"reviewer {sentence}" in response.text
    assert not Session.objects.filter(user=reviewer).exists()
    assert reviewer_client.get("/p/support/").status_code == 302


@pytest.mark.parametrize(
    "fields", [{}, {"role": "x", "days": "7"}, {"role": "lead", "days": "9999"}, {"role": "lead", "days": "1e9"}]
)
def test_it_refuses_a_bad_invite(admin_client: Client, fields: dict[str, str]) -> None:
    assert admin_client.post(f"{PAGE}invite/", fields).status_code == 422


def test_it_keeps_a_bad_address_for_correction(admin_client: Client) -> None:
    fields = {"role": "lead", "days": "30", "email": "ana@@example"}
    response = admin_client.post(f"{PAGE}invite/", fields)

    assert response.status_code == 422
    assert 'value="ana@@example"' in response.text
