"""Who set each metadata value of a trace."""

from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from reviewapp.delivery.provenance import get_metadata_provenance
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from tests.factories import PatchFactory, SpanFactory, TraceFactory
from tests.traces.rows import store_metadata_spans


def set_by(trace: Trace) -> dict[str, str]:
    return {entry.key: entry.set_by for entry in get_metadata_provenance(trace)}


def test_it_distinguishes_the_application_from_us(project: Project) -> None:
    trace = TraceFactory.create(
        project=project, metadata='{"env":"test","score":1,"notes":"x"}', unconfirmed='{"notes":"x"}'
    )
    PatchFactory.create(project=project, trace_id=trace.trace_id, metadata='{"score":1}', state=State.CONFIRMED)
    store_metadata_spans(trace, {"env": "test"})
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


@pytest.mark.parametrize(
    ("spans", "setter"),
    [
        ([], "someone else: no span carries it"),
        ([{"score": 1}], "the application, in flight"),
        ([{"score": 1.0}], "the application, in flight"),
        ([{"score": 2}, {"score": 1}], "the application, in flight"),
        ([{"score": 0.5}], "someone else, who replaced 0.5 of the application"),
    ],
    ids=["pushed", "carried", "carried in another spelling", "carried by one of two", "replaced"],
)
def test_it_reads_from_the_spans_who_set_a_value(project: Project, spans: list[dict[str, float]], setter: str) -> None:
    trace = TraceFactory.create(project=project, metadata='{"score":1}')
    store_metadata_spans(trace, *spans)
    assert set_by(trace) == {"score": setter}


def test_it_recognises_an_object_that_two_spans_set(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"flags":{"a":1,"b":[2]},"other":{"a":1,"b":3}}')
    store_metadata_spans(trace, {"flags": {"b": [2]}, "other": {"a": 1}}, {"flags": {"a": 1}, "other": {"b": 2}})
    assert set_by(trace) == {
        "flags": "the application, in flight",
        "other": 'someone else, who replaced {"b":2} of the application',
    }


@pytest.mark.parametrize(
    ("fields", "setter"),
    [
        ({"spans_pulled_at": None}, "unknown: its spans are not here"),
        ({"is_cut": True}, "unknown: not all of its spans are here"),
        ({"pull_due_at": clock.now()}, "unknown: not all of its spans are here"),
    ],
    ids=["not pulled", "too many", "pulled again soon"],
)
def test_it_does_not_guess_without_all_spans(project: Project, fields: dict[str, Any], setter: str) -> None:
    trace = TraceFactory.create(project=project, metadata='{"env":"live","score":1}')
    store_metadata_spans(trace, {"env": "live"})
    Trace.objects.update(**fields)
    trace.refresh_from_db()
    assert set_by(trace)["score"] == setter
    assert ("flight" in set_by(trace)["env"]) is trace.has_spans


def test_it_reads_spans_that_an_earlier_release_stored(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"env":"live","score":1}', spans_pulled_at=clock.now())
    SpanFactory.create(trace=trace, attributes='{"ai.telemetry.metadata.env":"live"}')
    assert set_by(trace) == {"env": "the application, in flight", "score": "someone else: no span carries it"}


def test_it_names_the_spans_that_set_a_key_differently(reviewer_client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"tier":"<b>","env":"live"}')
    store_metadata_spans(trace, {"tier": "free", "env": "live"}, {"tier": "<b>", "env": "live"}, {"tier": "<b>"})
    page = " ".join(reviewer_client.get(f"/p/support/deliveries/traces/{trace.trace_id}/metadata/").text.split())
    assert "Its spans set 2 different values" in page
    assert "step 1: <code>free</code> </li>" in page
    assert "step 2 and 1 more: <code>&lt;b&gt;</code>, which won" in page
    assert page.count("different values") == 1


def test_it_does_not_guess_beyond_the_values_it_stores(project: Project) -> None:
    trace = TraceFactory.create(project=project, metadata='{"step":0,"last":99}')
    store_metadata_spans(trace, *({"step": number, "last": number} for number in range(100)))
    assert set_by(trace) == {"step": "unknown: its spans set too many values", "last": "the application, in flight"}
