"""`/api/v1/patches`: metadata of other programs put on its way, and how far it has come."""

import json
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
from reviewapp.reviews.submitting import Answers, submit
from tests.api.http_calls import post
from tests.delivery.patches import TRACE_ID, accept_patch, put
from tests.factories import PatchFactory
from tests.threads import run_concurrently

URL = "/api/v1/patches"
GIVEN = {"trace_id": str(TRACE_ID), "metadata": {"judge.score": 0.5}}


@pytest.fixture
def send(token: str) -> Any:
    return partial(post, token=token, url=URL)


@pytest.fixture
def ask(token: str, client: Client) -> Any:
    """Ask for a patch by its number."""
    return lambda number: client.get(f"{URL}/{number}", headers={"Authorization": f"Bearer {token}"})


def test_it_puts_a_patch(send: Any, ask: Any) -> None:
    response = send(GIVEN)
    patch = Patch.objects.get()

    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/patches/{patch.pk}"
    assert response.json() == {
        "id": patch.pk, "trace_id": str(TRACE_ID), "state": "waiting", "is_new": True, "url": response["Location"],
        "warnings": [],
    }  # fmt: skip
    assert (patch.values, patch.tag_names, patch.source) == ({"judge.score": 0.5}, [], "token:ci")
    assert ask(patch.pk).status_code == 200


def test_it_takes_tags_and_any_value(send: Any) -> None:
    metadata = {"a": None, "b": [1, "x"], "c": True, "d": "ünï 🙁", "e": {"f": 1}}
    send({"trace_id": TRACE_ID.hex.upper(), "metadata": metadata, "tags": ["checked", "checked"]})
    patch = Patch.objects.get()

    assert (patch.trace_id, patch.values, patch.tag_names) == (TRACE_ID, metadata, ["checked"])


def test_it_records_who_did(send: Any) -> None:
    send(GIVEN)
    event = AuditEvent.objects.latest("seq")

    assert (event.actor, event.actor_name, event.verb) == (None, "token:ci", "relayed patches")


def test_it_puts_a_repeated_call_once(send: Any) -> None:
    named = {"Idempotency-Key": "run 7"}
    first, again = send(GIVEN, **named).json(), send(GIVEN, **named).json()
    in_the_body = send({**GIVEN, "idempotency_key": "run 7"}).json()

    assert (first["is_new"], again["is_new"], in_the_body["is_new"]) == (True, False, False)
    assert first["id"] == again["id"] == in_the_body["id"]
    assert Patch.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_puts_a_call_repeated_at_once_once(send: Any) -> None:
    answers = run_concurrently([lambda: send(GIVEN, **{"Idempotency-Key": "run 7"})] * 20)

    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(202, Patch.objects.get().pk)}
    assert [answer.json()["is_new"] for answer in answers].count(True) == 1


def test_it_puts_a_list_in_order(send: Any) -> None:
    ids = [uuid4() for _ in range(5)]
    response = send({"patches": [{"trace_id": str(each), "metadata": {"n": place}} for place, each in enumerate(ids)]})
    told = response.json()["patches"]

    assert response.status_code == 202
    assert "Location" not in response
    assert [UUID(one["trace_id"]) for one in told] == ids
    assert [Patch.objects.get(pk=one["id"]).values for one in told] == [{"n": place} for place in range(5)]


def test_it_puts_each_of_a_list_once_by_its_own_name(send: Any) -> None:
    patches = [{**GIVEN, "metadata": {"n": n}, "idempotency_key": f"line {n}"} for n in range(3)]
    send({"patches": patches[:2]})
    told = send({"patches": patches}).json()["patches"]

    assert [one["is_new"] for one in told] == [False, False, True]


def test_it_takes_a_hundred(send: Any) -> None:
    patches = [{"trace_id": str(UUID(int=n)), "metadata": {"n": n}} for n in range(100)]

    assert len(send({"patches": patches}).json()["patches"]) == 100
    assert AuditEvent.objects.filter(verb="relayed patches").count() == 1


def test_it_warns_once_of_what_may_surprise(send: Any, queue: Queue) -> None:
    given = {**GIVEN, "metadata": {"score": 1.0, "notes": {"a": 1}}}
    warnings = send({"patches": [given, given]}).json()["warnings"]

    assert [warning.split(" ")[0] for warning in warnings] == ["“score”", "“notes”", "Reviews"]
    assert warnings[2].startswith("Reviews of the queue “Answers” also write “notes” and “score”.")


def test_it_warns_of_no_other_projects_queue(send: Any, other_project: Project) -> None:
    Queue.objects.create(project=other_project, slug="theirs", name="Theirs")

    assert send({**GIVEN, "metadata": {"score": 1}}).json()["warnings"] == []


def test_it_tells_a_waiting_patch(send: Any, ask: Any) -> None:
    send({**GIVEN, "tags": ["checked"]})
    patch = Patch.objects.get()
    told = ask(patch.pk).json()

    assert told.pop("created_at").endswith("Z")
    assert told == {
        "id": patch.pk, "trace_id": str(TRACE_ID), "metadata": {"judge.score": 0.5}, "tags": ["checked"],
        "state": "waiting", "means": "It is saved here and waits to be pushed.", "reason": "", "last_error": "",
        "accepted_at": None, "confirmed_at": None, "superseded_by": None, "carried_by": None,
    }  # fmt: skip


def test_it_tells_a_confirmed_patch(ask: Any, project: Project) -> None:
    now = clock.now()
    patch = PatchFactory.create(project=project, state=State.CONFIRMED, accepted_at=now, confirmed_at=now)
    told = ask(patch.pk).json()

    assert (told["state"], told["means"]) == ("confirmed", "Every value was read back from the trace.")
    assert told["confirmed_at"] == told["accepted_at"] == now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_it_tells_why_a_patch_is_parked(ask: Any, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.PARKED, reason=Reason.REFUSED, last_error="No.")
    told = ask(patch.pk).json()

    assert (told["state"], told["reason"], told["last_error"]) == ("parked", "refused", "No.")


def test_it_tells_how_far_the_patch_is_that_carries_it(
    send: Any, ask: Any, project: Project, item: QueueItem, reviewer: User
) -> None:
    first = send({**GIVEN, "trace_id": str(item.trace_id)}).json()["id"]
    review = submit(item, reviewer, Answers(score=None, notes="", needs_review=False), version=0)
    last = accept_patch(put(project, {"n": 1}, item.trace_id))
    told = ask(first).json()

    assert (told["state"], told["superseded_by"]) == ("superseded", review.patch_id)
    assert (told["carried_by"]["id"], told["carried_by"]["state"]) == (last.pk, "accepted")


def test_it_tells_a_patch_that_was_taken_back(ask: Any, project: Project) -> None:
    patch = PatchFactory.create(project=project, state=State.SUPERSEDED, last_error="Undone before it was sent.")
    told = ask(patch.pk).json()

    assert (told["means"], told["carried_by"]) == ("It was taken back before it was pushed.", None)


def test_another_projects_patch_is_not_found(ask: Any, other_project: Project) -> None:
    theirs = PatchFactory.create(project=other_project)
    foreign, none = ask(theirs.pk), ask(theirs.pk + 1)

    assert foreign.status_code == none.status_code == 404
    assert foreign.json()["error"] == none.json()["error"].replace(str(theirs.pk + 1), str(theirs.pk))


def test_it_keeps_another_projects_trace_of_the_same_id_apart(send: Any, other_project: Project) -> None:
    theirs = put(other_project, {"a": 1})
    send(GIVEN)

    assert Patch.objects.get(pk=theirs.pk).state == State.WAITING
    assert Patch.objects.latest("pk").values == {"judge.score": 0.5}


def test_its_description_is_json_with_both_forms(client: Client) -> None:
    told = json.loads(client.get("/api/v1/openapi.json").content)["paths"]["/api/v1/patches"]["post"]
    one, many = told["requestBody"]["content"]["application/json"]["schema"]["oneOf"]

    assert one["required"] == ["trace_id", "metadata"]
    assert many["properties"]["patches"]["items"] == one
    assert [parameter["name"] for parameter in told["parameters"]] == ["Idempotency-Key"]
