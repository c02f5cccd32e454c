"""A token does what its scopes allow, and no more."""

from uuid import uuid4

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch
from reviewapp.keys.models import AccessToken, Scope
from reviewapp.keys.tokens import DEFAULT_SCOPES, create_token
from reviewapp.queues.models import Queue, QueueItem
from tests.api.http_calls import ITEMS_URL, post
from tests.factories import PatchFactory

PATCHES_URL = "/api/v1/patches"


def make_patch(key: str = "own.key") -> dict[str, object]:
    return {"trace_id": str(uuid4()), "metadata": {key: 1}}


@pytest.mark.parametrize("scope", Scope.values)
def test_it_allows_only_its_scopes(project: Project, queue: Queue, scope: str) -> None:
    patch = PatchFactory.create(project=project)
    secret = create_token(project, "ci", "command", scopes=[scope])
    item = {"items": [{"trace_id": str(uuid4())}]}
    read = Client().get(f"{PATCHES_URL}/{patch.pk}", headers={"Authorization": f"Bearer {secret}"})
    statuses = {
        "read": read.status_code,
        "queue": post(item, secret, ITEMS_URL).status_code,
        "patch": post(make_patch(), secret, PATCHES_URL).status_code,
    }

    assert {name for name, status in statuses.items() if status != 403} == {scope} - {"review-keys"}
    assert QueueItem.objects.exists() == (scope == "queue")


def test_it_refuses_a_key_that_reviews_write(project: Project, queue: Queue) -> None:
    secret = create_token(project, "ci", "command", scopes=DEFAULT_SCOPES)
    response = post(make_patch(queue.pushed_keys[0]), secret, PATCHES_URL)

    assert response.status_code == 403
    assert "lacks the scope “review-keys”. Nothing was saved." in response.json()["error"]
    assert not Patch.objects.exists()


def test_it_refuses_only_those_patches_of_a_list(project: Project, queue: Queue) -> None:
    secret = create_token(project, "ci", "command", scopes=DEFAULT_SCOPES)
    response = post({"patches": [make_patch(queue.pushed_keys[0]), make_patch()]}, secret, PATCHES_URL)

    assert response.status_code == 207
    assert [refused["index"] for refused in response.json()["refused"]] == [0]
    assert Patch.objects.count() == 1


def test_it_allows_a_key_that_reviews_write_if_granted(project: Project, queue: Queue) -> None:
    secret = create_token(project, "ci", "command", scopes=[*DEFAULT_SCOPES, "review-keys"])

    assert post(make_patch(queue.pushed_keys[0]), secret, PATCHES_URL).status_code == 202


def test_it_is_stored_by_no_cache(token: str, queue: Queue) -> None:
    for response in (post({}, token), post({}, "wrong"), Client().get("/api/v1/openapi.json")):
        assert "no-store" in response["Cache-Control"]


def test_it_has_a_limit_of_its_own(token: str, queue: Queue) -> None:
    AccessToken.objects.update(call_limit=1)

    assert [post({}, token).status_code for _ in range(2)] == [400, 429]


def test_it_creates_a_token_with_scopes_and_expiry(project: Project, admin_client: Client) -> None:
    form_data = {"name": "ci", "scope": ["read", "patch"], "days": "30"}
    assert admin_client.post("/p/support/keys/tokens/", form_data).status_code == 200
    token = AccessToken.objects.get()

    assert token.scopes == "read patch"
    assert token.expires_at is not None
    assert (token.expires_at - token.created_at).days in (29, 30)


@pytest.mark.parametrize(
    "fields", [{"scope": ["all"]}, {"days": "0"}, {"days": "-1"}, {"days": "x"}, {"days": "99999"}]
)
def test_it_refuses_other_scopes_and_days(project: Project, admin_client: Client, fields: dict[str, object]) -> None:
    response = admin_client.post("/p/support/keys/tokens/", {"name": "ci", **fields})

    assert response.status_code == 422
    assert 'value="ci"' in response.text
    assert not AccessToken.objects.exists()


def test_it_rotates_a_token_on_the_page(token: str, admin_client: Client) -> None:
    old = AccessToken.objects.get()
    response = admin_client.post(f"/p/support/keys/tokens/{old.pk}/rotate/")

    assert "Copy the token now" in response.text
    assert AccessToken.objects.count() == 2
