"""Who set each metadata value of a trace."""

from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from reviewapp.delivery.provenance import get_metadata_provenance
from reviewapp.traces.models import Trace
from tests.factories import PatchFactory, TraceFactory


def words(trace: Trace) -> dict[str, str]:
    return {setting.key: setting.set_by for setting in get_metadata_provenance(trace)}


def test_it_tells_the_application_from_us(project: Project) -> None:
    trace = TraceFactory.create(
        project=project, metadata='{"env":"test","score":1,"notes":"x"}', unconfirmed='{"notes":"x"}'
    )
    PatchFactory.create(project=project, trace_id=trace.trace_id, metadata='{"score":1}', state=State.CONFIRMED)
    assert words(trace) == {
        "env": "the application, in flight",
        "score": "us, confirmed",
        "notes": "us, not confirmed yet",
    }


def test_it_tells_what_others_changed_after_us(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":0}')
    PatchFactory.create(project=project, trace_id=trace.trace_id, metadata='{"score":1}', state=State.CONFIRMED)
    assert words(trace)["score"].startswith("others, after us")


def test_it_takes_the_newest_of_ours(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":0}')
    for value, state in ((1, State.CONFIRMED), (0, State.ACCEPTED)):
        PatchFactory.create(project=project, trace_id=trace.trace_id, metadata=f'{{"score":{value}}}', state=state)
    assert words(trace)["score"] == "us, accepted"


def test_its_page_works(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"<b>":"<img src=x>"}')
    page = reviewer_client.get(f"/p/support/deliveries/traces/{trace.trace_id}/metadata/")
    assert page.status_code == 200
    assert "<img" not in page.text


def test_it_tells_both_values_and_what_is_gone(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":0.50}')
    PatchFactory.create(
        project=project, trace_id=trace.trace_id, metadata='{"notes":"right","score":1}', state=State.CONFIRMED,
        drift='{"notes":[],"score":[0.50]}',
    )  # fmt: skip
    assert words(trace) == {
        "score": "others, after us: 0.50 there, 1 from us",
        "notes": "others, after us: the key is gone, right from us",
    }


def test_another_spelling_of_a_number_is_ours(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":1.0}')
    PatchFactory.create(project=project, trace_id=trace.trace_id, metadata='{"score":1}', state=State.CONFIRMED)
    assert words(trace) == {"score": "us, confirmed"}
