"""One patch for many traces: previewed, confirmed, on its way as any other, and taken back within a minute."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery import bulk as bulks
from reviewapp.delivery import leasing, outbox
from reviewapp.delivery.intake import BulkUndoneError, IdempotencyKeyReusedError, put_patches
from reviewapp.delivery.models import Bulk, IdempotentPatch, Patch, State
from reviewapp.delivery.patch_input import PatchInput
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import get_page
from reviewapp.traces.metadata.pairs import Pair
from reviewapp.traces.models import Trace
from tests.factories import TraceFactory

URL = "/p/support/traces/push/"
PATCH = {"checked": True}


@pytest.fixture
def three(project: Project) -> list[Trace]:
    return [TraceFactory.create(project=project, metadata='{"a":1,"checked":"no"}') for _ in range(3)]


def pushed(project: Project, user: User, traces: list[Trace]) -> Bulk:
    return bulks.push(project, user, uuid4(), PATCH, [trace.trace_id for trace in traces])


def text_of(traces: list[Trace]) -> str:
    return " ".join(trace.trace_id.hex for trace in traces)


def found(project: Project, pair: Pair) -> int:
    return get_page(FilterView([pair]), project).count


def test_it_shows_what_it_would_do_and_does_nothing(lead_client: Client, three: list[Trace]) -> None:
    page = lead_client.get(URL, {"m": "a=1", "all": "1"})
    assert "3 traces." in page.text
    page = lead_client.post(URL, {"traces": text_of(three), "metadata": "checked=true\nratio=1.0\n"})
    assert page.context["values"] == {"checked": "true", "ratio": "1"}
    assert any("written with a point" in sentence for sentence in page.context["warnings"])
    assert "Push to 3 traces" in page.text
    assert not Patch.objects.exists()


def test_it_pushes_to_what_was_shown_once_it_is_confirmed(
    lead_client: Client, three: list[Trace], project: Project
) -> None:
    said = {"traces": text_of(three[:2]), "metadata": "checked=true", "confirm": "1", "mark": str(uuid4())}
    answers = [lead_client.post(URL, said) for _ in range(2)]
    bulk = Bulk.objects.get()
    assert {answer["Location"] for answer in answers} == {f"/p/support/traces/pushed/{bulk.pk}/"}
    assert {patch.trace_id for patch in Patch.objects.all()} == {trace.trace_id for trace in three[:2]}
    assert all(patch.state == State.WAITING and patch.due_at > clock.now() for patch in Patch.objects.all())
    assert found(project, Pair("checked", "true")) == 2
    assert [event.verb for event in AuditEvent.objects.order_by("seq")] == ["pushed to many", "relayed patches"]


def test_an_undo_puts_everything_back(project: Project, lead: User, three: list[Trace], lead_client: Client) -> None:
    bulk = pushed(project, lead, three)
    before = list(Trace.objects.order_by("pk").values_list("metadata", flat=True))
    assert "Undo" in lead_client.get(f"/p/support/traces/pushed/{bulk.pk}/").text
    answer = lead_client.post(f"/p/support/traces/pushed/{bulk.pk}/undo/", follow=True)
    assert "3 taken back" in answer.text
    assert set(before) != set(Trace.objects.values_list("metadata", flat=True))
    assert {canonical_json.loads(trace.metadata)["checked"] for trace in Trace.objects.all()} == {"no"}
    assert set(Trace.objects.values_list("unconfirmed", "review_count")) == {("{}", 0)}
    assert found(project, Pair("checked", "true")) == 0
    assert found(project, Pair("checked", "no")) == 3
    assert set(Patch.objects.values_list("state", flat=True)) == {State.SUPERSEDED}
    assert AuditEvent.objects.order_by("seq").last().verb == "undid push to many"  # type: ignore[union-attr]


def test_an_undo_leaves_what_was_begun(project: Project, lead: User, three: list[Trace]) -> None:
    bulk = pushed(project, lead, three)
    Patch.objects.filter(trace_id=three[0].trace_id).update(due_at=clock.now())
    (begun,) = leasing.lease(10)
    assert bulks.undo(bulk, lead) == 2
    begun.refresh_from_db()
    assert begun.state == State.SENDING
    assert found(project, Pair("checked", "true")) == 1
    assert bulks.undo(bulk, lead) == 0
    assert not bulks.can_be_undone(bulk)


def test_it_offers_no_undo_of_what_a_worker_that_died_may_have_sent(
    project: Project, lead: User, three: list[Trace], lead_client: Client
) -> None:
    bulk = pushed(project, lead, three)
    Patch.objects.update(lease=1)
    assert not bulks.can_be_undone(bulk)
    said = lead_client.post(f"/p/support/traces/pushed/{bulk.pk}/undo/", follow=True).text
    assert "3 not taken back: on their way before" in said


def test_an_undo_sends_what_an_older_patch_said(project: Project, lead: User, three: list[Trace]) -> None:
    outbox.put(project, three[0].trace_id, {"score": 1}, source="review of ana")
    bulk = pushed(project, lead, three[:1])
    assert Patch.objects.get(state=State.WAITING).values == {"score": 1, **PATCH}
    bulks.undo(bulk, lead)
    (waiting,) = Patch.objects.filter(state=State.WAITING)
    assert waiting.values == {"score": 1}


def test_nothing_more_is_put_once_it_was_undone(project: Project, lead: User, three: list[Trace]) -> None:
    bulk = pushed(project, lead, three[:1])
    bulks.undo(bulk, lead)
    with pytest.raises(BulkUndoneError):
        bulks.push(project, lead, bulk.preview_id, PATCH, [trace.trace_id for trace in three])
    assert Patch.objects.count() == 1


def test_a_mark_stands_for_one_patch(project: Project, lead: User, three: list[Trace]) -> None:
    bulk = pushed(project, lead, three)
    with pytest.raises(IdempotencyKeyReusedError):
        bulks.push(project, lead, bulk.preview_id, {"checked": False}, [three[0].trace_id])
    assert IdempotentPatch.objects.filter(bulk=bulk).count() == 3


@pytest.mark.parametrize("said", ["", "checked", "=1", "a=NaN", "a=1\na=2", "k" * 201 + "=1"])
def test_it_refuses_what_cannot_be_pushed_and_keeps_it(lead_client: Client, three: list[Trace], said: str) -> None:
    page = lead_client.post(URL, {"traces": text_of(three), "metadata": said, "confirm": "1", "mark": str(uuid4())})
    assert page.status_code == 422
    assert page.context["error"].endswith(".")
    assert said in page.context["typed"]
    assert not Patch.objects.exists()


def test_it_refuses_a_confirmation_without_a_preview(lead_client: Client, three: list[Trace]) -> None:
    said: dict[str, Any] = {"traces": text_of(three), "metadata": "a=1", "confirm": "1", "mark": "x"}
    assert lead_client.post(URL, said).status_code == 422
    assert not Bulk.objects.exists()


def test_it_takes_no_other_projects_traces(lead_client: Client, other_project: Project) -> None:
    theirs = TraceFactory.create(project=other_project)
    page = lead_client.get(URL, {"trace": str(theirs.trace_id)}, follow=True)
    assert "No trace was chosen" in page.text
    lead_client.post(URL, {"traces": theirs.trace_id.hex, "metadata": "a=1", "confirm": "1", "mark": str(uuid4())})
    assert not Patch.objects.exists()


def test_its_page_says_how_far_it_has_come(
    lead_client: Client, project: Project, lead: User, three: list[Trace]
) -> None:
    bulk = pushed(project, lead, three)
    Patch.objects.filter(trace_id=three[0].trace_id).update(state=State.CONFIRMED)
    page = re.sub(r"\s+", " ", lead_client.get(f"/p/support/traces/pushed/{bulk.pk}/").text)
    assert "waiting</span> <b>2</b>" in page
    assert "confirmed</span> <b>1</b>" in page


def test_an_undo_takes_it_out_of_later_changes(project: Project, lead: User, three: list[Trace]) -> None:
    trace_id = three[0].trace_id
    outbox.put(project, trace_id, {"checked": 0, "old": 1}, source="a test")
    bulk = pushed(project, lead, three[:1])
    first, last = relayed(project, trace_id, {"score": 1}), relayed(project, trace_id, {"score": 2})
    assert bulks.can_be_undone(bulk)
    assert (bulks.undo(bulk, lead), bulks.count_not_undone(bulk)) == (1, 0)
    assert Patch.objects.get(state=State.WAITING).values == {"checked": 0, "old": 1, "score": 2}
    assert found(project, Pair("checked", "no")) == 3
    trace = Trace.objects.get(trace_id=trace_id)
    assert canonical_json.loads(trace.unconfirmed) == {"checked": 0, "score": 2}
    assert outbox.withdraw(project, last) == {"checked": 0, "old": 1, "score": 1}
    first.refresh_from_db()
    assert first.values == {"checked": 0, "old": 1, "score": 1}


@pytest.mark.parametrize("later", [{"score": 1}, PATCH], ids=["begun", "its own value"])
def test_an_undo_says_what_went_with_a_later_change(
    lead_client: Client, project: Project, lead: User, three: list[Trace], later: dict[str, object]
) -> None:
    bulk = pushed(project, lead, three)
    relayed(project, three[0].trace_id, later)
    if later != PATCH:
        assert len(leasing.lease(10)) == 1
    answer = lead_client.post(f"/p/support/traces/pushed/{bulk.pk}/undo/", follow=True).text
    assert "2 taken back" in answer
    assert "1 not taken back" in answer
    assert found(project, Pair("checked", "true")) == 1
    assert "1 not taken back" in lead_client.post(f"/p/support/traces/pushed/{bulk.pk}/undo/", follow=True).text


def relayed(project: Project, trace_id: UUID, patch: dict[str, object]) -> Patch:
    """Another program's patch, as it waits to be pushed."""
    return put_patches(project, [PatchInput(trace_id, patch)], source="token:ci")[0].patch
