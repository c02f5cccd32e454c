"""The Keys page: Laminar key and access tokens."""

import re
from typing import Any

from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.keys.models import AccessToken, LaminarKey
from reviewapp.lib import clock
from tests.factories import SECRET, LaminarKeyFactory
from tests.tracestore_server import RunningStore

URL = "/p/support/keys/"


def post_key(client: Client, key: str) -> Any:
    return client.post(f"{URL}laminar/", {"key": key})


def test_it_shows_that_there_is_no_key(admin_client: Client) -> None:
    assert "No key yet" in admin_client.get(URL).content.decode()


def test_it_shows_only_the_end_of_a_key(project: Project, admin_client: Client) -> None:
    key = LaminarKeyFactory.create(project=project)
    content = admin_client.get(URL).content.decode()

    assert f"…{SECRET[-4:]}" in content
    assert key.fingerprint in content
    assert SECRET not in content
    assert key.encrypted_secret not in content


def test_it_hides_keys_of_other_projects(other_project: Project, admin_client: Client) -> None:
    key = LaminarKeyFactory.create(project=other_project)
    AccessToken.objects.create(project=other_project, name="foreign machine", prefix="rvw_them", digest="0" * 64)
    content = admin_client.get(URL).content.decode()

    assert key.fingerprint not in content
    assert "foreign machine" not in content


def test_it_replaces_the_key(connected_project: Project, tracestore: RunningStore, admin_client: Client) -> None:
    response = post_key(admin_client, tracestore.full_key)

    assert (response.status_code, response["Location"]) == (302, URL)
    assert f"The key ending in {tracestore.full_key[-4:]}" in admin_client.get(URL).content.decode()


def test_it_shows_that_an_ingest_only_key_cannot_confirm(
    connected_project: Project, tracestore: RunningStore, admin_client: Client
) -> None:
    post_key(admin_client, tracestore.ingest_key)

    assert "pushes, cannot confirm" in admin_client.get(URL).content.decode()


def test_it_refuses_a_wrong_key(connected_project: Project, admin_client: Client) -> None:
    LaminarKeyFactory.create(project=connected_project)
    response = post_key(admin_client, "not-a-key-of-that-store")
    content = response.content.decode()

    assert response.status_code == 422
    assert "nothing was changed" in content
    assert "not-a-key-of-that-store" not in content
    assert f"…{SECRET[-4:]}" in content


def test_it_refuses_an_empty_key(admin_client: Client) -> None:
    assert post_key(admin_client, "").status_code == admin_client.post(f"{URL}laminar/").status_code == 422
    assert not LaminarKey.objects.exists()


def test_it_shows_a_new_token_once(project: Project, admin_client: Client) -> None:
    response = admin_client.post(f"{URL}tokens/", {"name": "checkout service"})
    (secret,) = re.findall(r"rvw_[\w-]{43}", response.content.decode())

    assert response["Cache-Control"] == "no-store, private"
    assert secret not in admin_client.get(URL).content.decode()
    assert AccessToken.objects.get().digest == AccessToken.hash_secret(secret)


def test_it_refuses_an_invalid_token_name(admin_client: Client) -> None:
    for name in ("", "   ", "x" * 81, "a\x00b", "line\nbreak", "\u202egnp"):
        response = admin_client.post(f"{URL}tokens/", {"name": name})
        assert response.status_code == 422
        assert "Give the token a name" in response.content.decode()
    assert not AccessToken.objects.exists()


def test_it_revokes_a_token(project: Project, admin_client: Client) -> None:
    token = AccessToken.objects.create(project=project, name="ci", prefix="rvw_test", digest="0" * 64)
    response = admin_client.post(f"{URL}tokens/{token.pk}/revoke/")
    token.refresh_from_db()

    assert response.status_code == 302
    assert not token.is_valid
    assert "revoked" in admin_client.get(URL).content.decode()


def test_it_refuses_to_revoke_a_foreign_token(other_project: Project, admin_client: Client) -> None:
    token = AccessToken.objects.create(project=other_project, name="ci", prefix="rvw_test", digest="0" * 64)

    assert admin_client.post(f"{URL}tokens/{token.pk}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.is_valid


def test_it_keeps_a_name_that_it_refuses(admin_client: Client) -> None:
    response = admin_client.post("/p/support/keys/tokens/", {"name": "n" * 81})
    assert response.status_code == 422
    assert f'value="{"n" * 81}"' in response.text


def test_it_changes_the_base_url_with_the_key(project: Project, tracestore: RunningStore, admin_client: Client) -> None:
    form_data = {"base_url": tracestore.url, "key": tracestore.full_key}
    assert admin_client.post(f"{URL}base-url/", form_data).status_code == 302
    project.refresh_from_db()

    assert project.base_url == tracestore.url


def test_it_refuses_a_base_url_without_a_key(project: Project, admin_client: Client) -> None:
    LaminarKeyFactory.create(project=project)
    response = admin_client.post(f"{URL}base-url/", {"base_url": "https://other.test"})
    project.refresh_from_db()

    assert (response.status_code, project.base_url) == (422, "https://laminar.test")
    assert 'value="https://other.test"' in response.text


def test_it_tests_the_active_key(connected_project: Project, tracestore: RunningStore, admin_client: Client) -> None:
    post_key(admin_client, tracestore.full_key)
    LaminarKey.objects.update(last_error="old")
    response = admin_client.post(f"{URL}laminar/test/", follow=True)

    assert "The key works" in response.text
    assert LaminarKey.objects.get().last_error == ""


def test_it_shows_that_the_active_key_stopped_working(connected_project: Project, admin_client: Client) -> None:
    LaminarKeyFactory.create(project=connected_project)

    assert "The key does not work" in admin_client.post(f"{URL}laminar/test/", follow=True).text
    assert LaminarKey.objects.get().retired_at is None


def test_it_erases_a_replaced_key_only(project: Project, admin_client: Client) -> None:
    old, active = (LaminarKeyFactory.create(project=project, retired_at=at) for at in (clock.now(), None))
    for key in (old, active):
        admin_client.post(f"{URL}laminar/{key.pk}/erase/")

    assert LaminarKey.objects.get(pk=old.pk).encrypted_secret == ""
    assert LaminarKey.objects.get(pk=active.pk).secret == SECRET
