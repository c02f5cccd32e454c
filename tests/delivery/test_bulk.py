"""One patch for many traces: previewed, confirmed, delivered like any other, and undone within a minute."""

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
from reviewapp.delivery.patch_validation import PatchInput
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import get_page
from reviewapp.traces.metadata.pairs import Pair
from reviewapp.traces.models import Trace
from tests.factories import TraceFactory

URL = "/p/support/traces/push/"
METADATA = {"checked": True}


@pytest.fixture
def traces(project: Project) -> list[Trace]:
    return [TraceFactory.create(project=project, metadata='{"a":1,"checked":"no"}') for _ in range(3)]


def push(project: Project, user: User, traces: list[Trace]) -> Bulk:
    return bulks.push(project, user, uuid4(), METADATA, [trace.trace_id for trace in traces])


def form_value(traces: list[Trace]) -> str:
    return " ".join(trace.trace_id.hex for trace in traces)


def count_matching(project: Project, pair: Pair) -> int:
    return get_page(FilterView([pair]), project).count


def test_it_shows_a_preview_without_pushing(lead_client: Client, traces: list[Trace]) -> None:
    page = lead_client.get(URL, {"m": "a=1", "all": "1"})
    assert len(page.context["chosen"].pks) == 3
    page = lead_client.post(URL, {"traces": form_value(traces), "metadata": "checked=true\nratio=1.0\n"})
    assert page.context["values"] == {"checked": "true", "ratio": "1"}
    assert any("with a decimal point" in sentence for sentence in page.context["warnings"])
    assert "Push to 3 traces" in page.text
    assert not Patch.objects.exists()


def test_it_pushes_once_to_the_previewed_traces(lead_client: Client, traces: list[Trace], project: Project) -> None:
    form_data = {"traces": form_value(traces[:2]), "metadata": "checked=true", "confirm": "1", "mark": str(uuid4())}
    responses = [lead_client.post(URL, form_data) for _ in range(2)]
    bulk = Bulk.objects.get()
    assert {response["Location"] for response in responses} == {f"/p/support/traces/pushed/{bulk.pk}/"}
    assert {patch.trace_id for patch in Patch.objects.all()} == {trace.trace_id for trace in traces[:2]}
    assert all(patch.state == State.WAITING and patch.due_at > clock.now() for patch in Patch.objects.all())
    assert count_matching(project, Pair("checked", "true")) == 2
    assert [event.verb for event in AuditEvent.objects.order_by("seq")] == ["started bulk push", "saved patches"]


def test_it_restores_everything_on_undo(project: Project, lead: User, traces: list[Trace], lead_client: Client) -> None:
    bulk = push(project, lead, traces)
    before = list(Trace.objects.order_by("pk").values_list("metadata", flat=True))
    url = f"/p/support/traces/pushed/{bulk.pk}/"
    assert f'action="{url}undo/"' in lead_client.get(url).text
    response = lead_client.post(f"{url}undo/", follow=True)
    assert "Undone for 3 traces" in response.text
    assert set(before) != set(Trace.objects.values_list("metadata", flat=True))
    assert {canonical_json.loads(trace.metadata)["checked"] for trace in Trace.objects.all()} == {"no"}
    assert set(Trace.objects.values_list("unconfirmed", "review_count")) == {("{}", 0)}
    assert count_matching(project, Pair("checked", "true")) == 0
    assert count_matching(project, Pair("checked", "no")) == 3
    assert set(Patch.objects.values_list("state", flat=True)) == {State.SUPERSEDED}
    assert AuditEvent.objects.order_by("seq").last().verb == "undid bulk push"  # type: ignore[union-attr]


def test_it_keeps_patches_that_are_being_sent_on_undo(project: Project, lead: User, traces: list[Trace]) -> None:
    bulk = push(project, lead, traces)
    Patch.objects.filter(trace_id=traces[0].trace_id).update(due_at=clock.now())
    (leased,) = leasing.lease(10)
    assert bulks.undo(bulk, lead) == 2
    leased.refresh_from_db()
    assert leased.state == State.SENDING
    assert count_matching(project, Pair("checked", "true")) == 1
    assert bulks.undo(bulk, lead) == 0
    assert not bulks.can_be_undone(bulk)


def test_it_refuses_undo_when_a_dead_worker_may_have_sent_it(
    project: Project, lead: User, traces: list[Trace], lead_client: Client
) -> None:
    bulk = push(project, lead, traces)
    Patch.objects.update(lease=1)
    assert not bulks.can_be_undone(bulk)
    page = lead_client.post(f"/p/support/traces/pushed/{bulk.pk}/undo/", follow=True)
    assert "Not undone for 3 traces: sending had started" in page.text


def test_it_sends_an_older_patch_again_after_undo(project: Project, lead: User, traces: list[Trace]) -> None:
    outbox.put(project, traces[0].trace_id, {"score": 1}, source="review of ana")
    bulk = push(project, lead, traces[:1])
    assert Patch.objects.get(state=State.WAITING).values == {"score": 1, **METADATA}
    bulks.undo(bulk, lead)
    (waiting,) = Patch.objects.filter(state=State.WAITING)
    assert waiting.values == {"score": 1}


def test_it_refuses_to_push_when_it_was_undone(project: Project, lead: User, traces: list[Trace]) -> None:
    bulk = push(project, lead, traces[:1])
    bulks.undo(bulk, lead)
    with pytest.raises(BulkUndoneError):
        bulks.push(project, lead, bulk.preview_id, METADATA, [trace.trace_id for trace in traces])
    assert Patch.objects.count() == 1


def test_it_refuses_a_preview_id_of_another_patch(project: Project, lead: User, traces: list[Trace]) -> None:
    bulk = push(project, lead, traces)
    with pytest.raises(IdempotencyKeyReusedError):
        bulks.push(project, lead, bulk.preview_id, {"checked": False}, [traces[0].trace_id])
    assert IdempotentPatch.objects.filter(bulk=bulk).count() == 3


@pytest.mark.parametrize("text", ["", "checked", "=1", "a=NaN", "a=1\na=2", "k" * 201 + "=1"])
def test_it_refuses_invalid_metadata_and_keeps_it_typed(lead_client: Client, traces: list[Trace], text: str) -> None:
    page = lead_client.post(URL, {"traces": form_value(traces), "metadata": text, "confirm": "1", "mark": str(uuid4())})
    assert page.status_code == 422
    assert page.context["error"].endswith(".")
    assert text in page.context["typed"]
    assert not Patch.objects.exists()


def test_it_refuses_a_confirmation_without_a_preview(lead_client: Client, traces: list[Trace]) -> None:
    form_data: dict[str, Any] = {"traces": form_value(traces), "metadata": "a=1", "confirm": "1", "mark": "x"}
    assert lead_client.post(URL, form_data).status_code == 422
    assert not Bulk.objects.exists()


def test_it_refuses_traces_of_another_project(lead_client: Client, other_project: Project) -> None:
    other_trace = TraceFactory.create(project=other_project)
    page = lead_client.get(URL, {"trace": str(other_trace.trace_id)}, follow=True)
    assert "No traces selected" in page.text
    lead_client.post(URL, {"traces": other_trace.trace_id.hex, "metadata": "a=1", "confirm": "1", "mark": str(uuid4())})
    assert not Patch.objects.exists()


def test_it_shows_progress_by_state(lead_client: Client, project: Project, lead: User, traces: list[Trace]) -> None:
    bulk = push(project, lead, traces)
    Patch.objects.filter(trace_id=traces[0].trace_id).update(state=State.CONFIRMED)
    page = re.sub(r"\s+", " ", lead_client.get(f"/p/support/traces/pushed/{bulk.pk}/").text)
    assert "waiting</span> <b>2</b>" in page
    assert "confirmed</span> <b>1</b>" in page


def test_it_removes_its_keys_from_later_changes_on_undo(project: Project, lead: User, traces: list[Trace]) -> None:
    trace_id = traces[0].trace_id
    outbox.put(project, trace_id, {"checked": 0, "old": 1}, source="a test")
    bulk = push(project, lead, traces[:1])
    first, last = put_other(project, trace_id, {"score": 1}), put_other(project, trace_id, {"score": 2})
    assert bulks.can_be_undone(bulk)
    assert (bulks.undo(bulk, lead), bulks.count_not_undone(bulk)) == (1, 0)
    assert Patch.objects.get(state=State.WAITING).values == {"checked": 0, "old": 1, "score": 2}
    assert count_matching(project, Pair("checked", "no")) == 3
    trace = Trace.objects.get(trace_id=trace_id)
    assert canonical_json.loads(trace.unconfirmed) == {"checked": 0, "score": 2}
    assert outbox.withdraw(project, last) == {"checked": 0, "old": 1, "score": 1}
    first.refresh_from_db()
    assert first.values == {"checked": 0, "old": 1, "score": 1}


@pytest.mark.parametrize("later", [{"score": 1}, METADATA], ids=["leased", "its own value"])
def test_it_reports_what_undo_could_not_remove_from_later_changes(
    lead_client: Client, project: Project, lead: User, traces: list[Trace], later: dict[str, object]
) -> None:
    bulk = push(project, lead, traces)
    put_other(project, traces[0].trace_id, later)
    if later != METADATA:
        assert len(leasing.lease(10)) == 1
    text = lead_client.post(f"/p/support/traces/pushed/{bulk.pk}/undo/", follow=True).text
    assert "Undone for 2 traces" in text
    assert "Not undone for 1 trace:" in text
    assert count_matching(project, Pair("checked", "true")) == 1
    assert "Not undone for 1 trace:" in lead_client.post(f"/p/support/traces/pushed/{bulk.pk}/undo/", follow=True).text


def put_other(project: Project, trace_id: UUID, metadata: dict[str, object]) -> Patch:
    """Put a patch of another program."""
    return put_patches(project, [PatchInput(trace_id, metadata)], source="token:ci")[0].patch
