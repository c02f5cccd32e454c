"""`/api/v1/patches`: save metadata of other programs for delivery, and read its state."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.lib import clock
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from tests.api.http_calls import post
from tests.delivery.patches import TRACE_ID, accept_patch, put
from tests.factories import PatchFactory
from tests.threads import run_concurrently

URL = "/api/v1/patches"
PATCH = {"trace_id": str(TRACE_ID), "metadata": {"judge.score": 0.5}}


@pytest.fixture
def send(token: str) -> Any:
    return partial(post, token=token, url=URL)


@pytest.fixture
def get_patch(token: str, client: Client) -> Any:
    """Read a patch by its id."""
    return lambda pk: client.get(f"{URL}/{pk}", headers={"Authorization": f"Bearer {token}"})


def test_it_saves_a_patch(send: Any, get_patch: Any) -> None:
    response = send(PATCH)
    patch = Patch.objects.get()

    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/patches/{patch.pk}"
    assert response.json() == {
        "id": patch.pk, "trace_id": str(TRACE_ID), "state": "waiting", "is_new": True, "url": response["Location"],
        "warnings": [],
    }  # fmt: skip
    assert (patch.values, patch.tag_names, patch.source) == ({"judge.score": 0.5}, [], "token:ci")
    assert get_patch(patch.pk).status_code == 200


def test_it_accepts_tags_and_any_value(send: Any) -> None:
    metadata = {"a": None, "b": [1, "x"], "c": True, "d": "ünï 🙁", "e": {"f": 1}}
    send({"trace_id": TRACE_ID.hex.upper(), "metadata": metadata, "tags": ["checked", "checked"]})
    patch = Patch.objects.get()

    assert (patch.trace_id, patch.values, patch.tag_names) == (TRACE_ID, metadata, ["checked"])


def test_it_records_the_token_in_the_audit_log(send: Any) -> None:
    send(PATCH)
    event = AuditEvent.objects.latest("seq")

    assert (event.actor, event.actor_name, event.verb) == (None, "token:ci", "saved patches")


def test_it_saves_a_repeated_call_once(send: Any) -> None:
    header = {"Idempotency-Key": "run 7"}
    first, again = send(PATCH, **header).json(), send(PATCH, **header).json()
    in_the_body = send({**PATCH, "idempotency_key": "run 7"}).json()

    assert (first["is_new"], again["is_new"], in_the_body["is_new"]) == (True, False, False)
    assert first["id"] == again["id"] == in_the_body["id"]
    assert Patch.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_saves_concurrent_repeats_once(send: Any) -> None:
    responses = run_concurrently([lambda: send(PATCH, **{"Idempotency-Key": "run 7"})] * 20)

    assert {(response.status_code, response.json()["id"]) for response in responses} == {(202, Patch.objects.get().pk)}
    assert [response.json()["is_new"] for response in responses].count(True) == 1


def test_it_saves_a_list_in_order(send: Any) -> None:
    ids = [uuid4() for _ in range(5)]
    response = send({"patches": [{"trace_id": str(trace_id), "metadata": {"n": n}} for n, trace_id in enumerate(ids)]})
    receipts = response.json()["patches"]

    assert response.status_code == 202
    assert "Location" not in response
    assert [UUID(receipt["trace_id"]) for receipt in receipts] == ids
    assert [Patch.objects.get(pk=receipt["id"]).values for receipt in receipts] == [{"n": n} for n in range(5)]


def test_it_saves_each_patch_of_a_list_once_by_its_idempotency_key(send: Any) -> None:
    patches = [{**PATCH, "metadata": {"n": n}, "idempotency_key": f"line {n}"} for n in range(3)]
    send({"patches": patches[:2]})
    receipts = send({"patches": patches}).json()["patches"]

    assert [receipt["is_new"] for receipt in receipts] == [False, False, True]


def test_it_accepts_a_hundred_patches(send: Any) -> None:
    patches = [{"trace_id": str(UUID(int=n)), "metadata": {"n": n}} for n in range(100)]

    assert len(send({"patches": patches}).json()["patches"]) == 100
    assert AuditEvent.objects.filter(verb="saved patches").count() == 1


def test_it_returns_each_warning_once(send: Any, queue: Queue) -> None:
    patch = {**PATCH, "metadata": {"score": 1.0, "notes": {"a": 1}}}
    warnings = send({"patches": [patch, patch]}).json()["warnings"]

    assert [warning.split(" ")[0] for warning in warnings] == ["“score”", "“notes”", "Reviews"]
    assert warnings[2].startswith("Reviews of the queue “Answers” also write “notes” and “score”.")


def test_it_ignores_queues_of_other_projects_in_warnings(send: Any, other_project: Project) -> None:
    Queue.objects.create(project=other_project, slug="theirs", name="Theirs")

    assert send({**PATCH, "metadata": {"score": 1}}).json()["warnings"] == []


def test_it_shows_a_waiting_patch(send: Any, get_patch: Any) -> None:
    send({**PATCH, "tags": ["checked"]})
    patch = Patch.objects.get()
    content = get_patch(patch.pk).json()

    assert content.pop("created_at").endswith("Z")
    assert content == {
        "id": patch.pk, "trace_id": str(TRACE_ID), "metadata": {"judge.score": 0.5}, "tags": ["checked"],
        "state": "waiting", "means": "Saved in the review desk, not pushed to Laminar yet.", "reason": "",
        "last_error": "", "accepted_at": None, "confirmed_at": None, "superseded_by": None, "carried_by": None,
    }  # fmt: skip


def test_it_shows_a_confirmed_patch(get_patch: Any, project: Project) -> None:
    now = clock.now()
    patch = PatchFactory.create(project=project, state=State.CONFIRMED, accepted_at=now, confirmed_at=now)
    content = get_patch(patch.pk).json()

    assert (content["state"], content["means"]) == ("confirmed", "Every value was read back from the trace.")
    assert (
        content["confirmed_at"]
        == content["accepted_at"]
        == now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def test_it_shows_why_a_patch_is_parked(get_patch: Any, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.PARKED, reason=Reason.REFUSED, last_error="No.")
    content = get_patch(patch.pk).json()

    assert (content["state"], content["reason"], content["last_error"]) == ("parked", "refused", "No.")


def test_it_shows_the_state_of_the_patch_that_carries_it(
    send: Any, get_patch: Any, project: Project, item: QueueItem, reviewer: User
) -> None:
    first = send({**PATCH, "trace_id": str(item.trace_id)}).json()["id"]
    review = submit(item, reviewer, Answers(score=None, notes="", needs_review=False), version=0)
    last = accept_patch(put(project, {"n": 1}, item.trace_id))
    content = get_patch(first).json()

    assert (content["state"], content["superseded_by"]) == ("superseded", review.patch_id)
    assert (content["carried_by"]["id"], content["carried_by"]["state"]) == (last.pk, "accepted")


def test_it_shows_an_undone_patch(get_patch: Any, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.SUPERSEDED, last_error="Undone before it was sent.")
    content = get_patch(patch.pk).json()

    assert (content["means"], content["carried_by"]) == ("Undone before it was pushed.", None)


def test_it_refuses_a_foreign_patch_like_an_unknown_one(get_patch: Any, other_project: Project) -> None:
    theirs = PatchFactory.create(project=other_project)
    foreign, unknown = get_patch(theirs.pk), get_patch(theirs.pk + 1)

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["error"] == unknown.json()["error"].replace(str(theirs.pk + 1), str(theirs.pk))


def test_it_keeps_traces_of_two_projects_with_the_same_id_apart(send: Any, other_project: Project) -> None:
    theirs = put(other_project, {"a": 1})
    send(PATCH)

    assert Patch.objects.get(pk=theirs.pk).state == State.WAITING
    assert Patch.objects.latest("pk").values == {"judge.score": 0.5}
