"""Sign out, and lose access at once."""

from django.test import Client

from reviewapp.accounts.models import Membership, User
from tests.cast import sign_in_client


def test_it_signs_out(reviewer_client: Client) -> None:
    response = reviewer_client.post("/accounts/logout/")

    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")
    assert "_auth_user_id" not in reviewer_client.session
    assert response["Clear-Site-Data"] == '"storage"'


def test_it_refuses_to_sign_out_by_get(reviewer_client: Client) -> None:
    assert reviewer_client.get("/accounts/logout/").status_code == 405
    assert "_auth_user_id" in reviewer_client.session


def test_it_refuses_a_forged_form(reviewer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(reviewer)

    assert client.post("/accounts/logout/").status_code == 403
    assert "_auth_user_id" in client.session


def test_it_signs_out_a_deactivated_user_at_once(reviewer: User) -> None:
    client = sign_in_client(reviewer)
    User.objects.filter(pk=reviewer.pk).update(is_active=False)

    assert client.get("/p/support/").status_code == 302
    assert client.post("/p/support/items/1/skip/")["Location"].startswith("/accounts/login/")


def test_it_ends_access_with_the_membership(reviewer: User) -> None:
    client = sign_in_client(reviewer)
    Membership.objects.filter(user=reviewer).delete()

    assert client.get("/p/support/").status_code == 404


def test_it_ends_all_sessions_when_the_password_changes(reviewer: User) -> None:
    client = sign_in_client(reviewer)
    reviewer.set_password("another password, long enough")
    reviewer.save(update_fields=["password"])

    assert client.get("/p/support/").status_code == 302
