"""The tags of traces: where each was set, and what stays of it."""

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.delivery import outbox
from reviewapp.traces.metadata import tags
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import storing
from tests.traces.rows import span_row, store_pulled_spans, trace_row

pytestmark = pytest.mark.django_db


def list_tags(trace: Trace) -> list[tuple[str, set[str]]]:
    return [(tag.name, tag.sources) for tag in tags.load_tags([trace]).get(trace.pk, [])]


def test_it_stores_the_tags_of_laminars_rows(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row(tags=["beta", "vip"], trace_tags=["vip", "x" * 300])])
    assert list_tags(trace) == [("beta", {"arrival"}), ("vip", {"arrival", "laminar"}), ("x" * 199 + "…", {"laminar"})]


def test_it_follows_tags_that_only_laminar_changed(project: Project) -> None:
    row = trace_row(trace_tags=["vip"])
    assert storing.store_changed(project, [row]) == 1
    assert storing.store_changed(project, [row]) == 0
    assert storing.store_changed(project, [trace_row(row.id, trace_tags=["churned"])]) == 1
    assert list_tags(Trace.objects.get()) == [("churned", {"laminar"})]


def test_it_stores_the_tags_of_spans(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row(tags=["beta"])])
    store_pulled_spans(trace, [span_row(1, tags=["beta"]), span_row(2, tags=["checked", ""])])
    assert list_tags(trace) == [("beta", {"arrival", "span"}), ("checked", {"span"})]


def test_it_stores_the_tags_that_a_review_pushes(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row()])
    outbox.put(project, trace.trace_id, {"score": 1}, source="review", tags=["wrong tool"])
    outbox.put(project, trace.trace_id, {"score": 0}, source="review", tags=["late"])
    assert list_tags(trace) == [("late", {"review"}), ("wrong tool", {"review"})]


def test_it_forgets_the_tags_of_a_withdrawn_patch(project: Project) -> None:
    (trace,) = storing.store_traces(project, [trace_row()])
    outbox.put(project, trace.trace_id, {"score": 1}, source="review", tags=["wrong tool"])
    newer = outbox.put(project, trace.trace_id, {"score": 0}, source="review", tags=["late"])
    with transaction.atomic():
        outbox.withdraw(project, newer)
    assert list_tags(trace) == [("wrong tool", {"review"})]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("arrival", "“Span tags” finds it"), ("laminar", "“Tags” finds it"), ("review", "Laminar cannot filter by it")],
)
def test_it_says_what_laminar_can_filter_by(source: str, sentence: str) -> None:
    assert sentence in tags.Tag("vip", {source}).description
