"""Filters by keys that JSON escapes: the mirror and Laminar's SQL give the same answer."""

from uuid import UUID, uuid4

import pytest

from reviewapp.accounts.models import Project
from reviewapp.laminar import Laminar
from reviewapp.traces.filters import paging
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.metadata.pairs import Pair
from reviewapp.traces.sync import storing
from tests.tracestore.store_calls import push_metadata, send_span
from tests.tracestore_server import RunningStore

KEYS = ['quo"te', "back\\slash", "new\nline", "\x01", "é€😀", "a\\nb", "it's {x} ?"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("value", "is_match"), [('a"b\\c\nd', True), ("another", False)])
def test_it_finds_the_same_traces_by_an_unusual_key(
    tracestore: RunningStore, project: Project, key: str, value: str, is_match: bool
) -> None:
    trace_id, run = str(uuid4()), str(uuid4())
    with tracestore.client() as client:
        send_span(client, trace_id)
        push_metadata(client, trace_id, {key: 'a"b\\c\nd', "run": run})
    laminar = Laminar(tracestore.url, tracestore.full_key, allowed_hosts=["127.0.0.1"])
    pairs = [Pair("run", run), Pair(key, value)]
    expected = [UUID(trace_id)] if is_match else []
    assert [row.id for row in laminar.find_traces(pairs).readable] == expected
    storing.store_traces(project, laminar.find_traces(pairs[:1]).readable)
    page = paging.get_page(FilterView(pairs, None, None, [], ""), project)
    assert [trace.trace_id for trace in page.traces] == expected
