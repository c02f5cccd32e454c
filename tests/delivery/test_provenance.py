"""Who set each metadata value of a trace."""

from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from reviewapp.delivery.provenance import get_metadata_provenance
from reviewapp.traces.models import Trace
from tests.factories import PatchFactory, TraceFactory


def set_by(trace: Trace) -> dict[str, str]:
    return {entry.key: entry.set_by for entry in get_metadata_provenance(trace)}


def test_it_distinguishes_the_application_from_us(project: Project) -> None:
    trace = TraceFactory.create(
        project=project, metadata='{"env":"test","score":1,"notes":"x"}', unconfirmed='{"notes":"x"}'
    )
    PatchFactory.create(project=project, trace_id=trace.trace_id, metadata='{"score":1}', state=State.CONFIRMED)
    assert set_by(trace) == {
        "env": "the application, in flight",
        "score": "the review desk, confirmed",
        "notes": "the review desk, not confirmed yet",
    }


def test_it_reports_what_others_changed_after_us(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":0}')
    PatchFactory.create(project=project, trace_id=trace.trace_id, metadata='{"score":1}', state=State.CONFIRMED)
    assert set_by(trace)["score"].startswith("someone else, after our push")


def test_it_uses_our_newest_patch(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":0}')
    for value, state in ((1, State.CONFIRMED), (0, State.ACCEPTED)):
        PatchFactory.create(project=project, trace_id=trace.trace_id, metadata=f'{{"score":{value}}}', state=state)
    assert set_by(trace)["score"] == "the review desk, accepted"


def test_it_renders_its_page(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"<b>":"<img src=x>"}')
    page = reviewer_client.get(f"/p/support/deliveries/traces/{trace.trace_id}/metadata/")
    assert page.status_code == 200
    assert "<img" not in page.text


def test_it_reports_both_values_and_removed_keys(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":0.50}')
    PatchFactory.create(
        project=project, trace_id=trace.trace_id, metadata='{"notes":"right","score":1}', state=State.CONFIRMED,
        drift='{"notes":[],"score":[0.50]}',
    )  # fmt: skip
    assert set_by(trace) == {
        "score": "someone else, after our push: 0.50 in Laminar, we pushed 1",
        "notes": "someone else, after our push: key removed, we pushed right",
    }


def test_it_recognises_our_number_in_another_spelling(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":1.0}')
    PatchFactory.create(project=project, trace_id=trace.trace_id, metadata='{"score":1}', state=State.CONFIRMED)
    assert set_by(trace) == {"score": "the review desk, confirmed"}
