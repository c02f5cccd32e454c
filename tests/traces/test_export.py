"""Exports as CSV and JSON Lines: which traces, which columns, and no cell that a spreadsheet would run."""

import csv
import json
from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json
from reviewapp.traces.filters import selection
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.models import Trace
from tests.factories import TraceFactory

CSV, JSONL = "/p/support/traces/export.csv", "/p/support/traces/export.jsonl"


def export(client: Client, url: str, **query: Any) -> str:
    return client.get(url, query).getvalue().decode()


def read_csv(client: Client, **query: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(export(client, CSV, **query).splitlines()))


def test_it_exports_a_view_newest_first_with_its_columns(lead_client: Client, project: Project) -> None:
    first, second = (TraceFactory.create(project=project, metadata=f'{{"a":1,"b":"{n}"}}') for n in range(2))
    TraceFactory.create(project=project, metadata='{"a":2}')
    rows = read_csv(lead_client, m="a=1", c=["b", "no"])
    assert [(row["trace_id"], row["b"], row["no"]) for row in rows] == [
        (str(second.trace_id), "1", ""), (str(first.trace_id), "0", ""),
    ]  # fmt: skip
    assert json.loads(rows[0]["metadata"]) == {"a": 1, "b": "1"}
    assert rows[0]["seconds"] == "2.0"


def test_it_exports_only_the_ticked_traces(lead_client: Client, project: Project) -> None:
    ticked, _ = (TraceFactory.create(project=project) for _ in range(2))
    assert [row["trace_id"] for row in read_csv(lead_client, trace=str(ticked.trace_id))] == [str(ticked.trace_id)]


def test_it_escapes_formulas(lead_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, name="=1+1", metadata=canonical_json.dumps({"=k": "@cmd"}))
    (row,) = read_csv(lead_client, c="=k")
    assert (row["name"], row["'=k"]) == ("'=1+1", "'@cmd")


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-5, "-5"), (-1.5e-9, "-1.5e-09"), ("+5", "+5"), ("-5+1", "'-5+1"), ("-", "'-")],
)
def test_it_leaves_numbers_unescaped(lead_client: Client, project: Project, value: object, cell: str) -> None:
    TraceFactory.create(project=project, metadata=json.dumps({"k": value}))
    (row,) = read_csv(lead_client, c="k")
    assert row["k"] == cell


def test_it_writes_a_json_object_per_line_spelled_as_in_laminar(lead_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, name="é\u202e", metadata=r'{"a":1.0,"b":"\ud800"}')
    (line,) = export(lead_client, JSONL).splitlines()
    assert json.loads(line)["name"] == "é\u202e"
    assert line.endswith(r'"metadata": {"a":1.0,"b":"\ud800"}}')


def test_it_refuses_reviewers_and_outsiders(reviewer_client: Client, outsider_client: Client, project: Project) -> None:
    TraceFactory.create(project=project)
    assert reviewer_client.get(CSV).status_code == 403
    assert outsider_client.get(CSV).status_code == 404
    assert export(outsider_client, "/p/elsewhere/traces/export.jsonl") == ""


def test_it_redirects_to_the_list_when_the_query_is_invalid(lead_client: Client, project: Project) -> None:
    assert lead_client.get(CSV, {"m": "a"}).status_code == 302


def test_it_selects_the_newest_traces_of_a_large_view(project: Project) -> None:
    traces = [TraceFactory.create(project=project) for _ in range(3)]
    selected = selection.select_view(project, FilterView(), limit=2)
    assert (list(selected.pks), selected.is_cut) == ([traces[2].pk, traces[1].pk], True)
    assert Trace.objects.count() == 3


def test_it_writes_no_character_that_ends_a_line(lead_client: Client, project: Project) -> None:
    text = "a\u2028b\u2029c\x85d"
    TraceFactory.create(project=project, name=text, metadata=json.dumps({"k": text}, ensure_ascii=False))
    content = export(lead_client, JSONL)
    assert len(content.splitlines()) == 1
    assert (json.loads(content)["name"], json.loads(content)["metadata"]) == (text, {"k": text})


def test_it_exports_the_others_beside_metadata_that_is_no_object(lead_client: Client, project: Project) -> None:
    for text in ('{"a":1}', "{", '{"a":2}'):
        TraceFactory.create(project=project)
        Trace.objects.filter(pk=Trace.objects.latest("pk").pk).update(metadata=text)
    assert [row["metadata"] for row in read_csv(lead_client, c="a")] == ['{"a":2}', "{", '{"a":1}']
    lines = [json.loads(line) for line in export(lead_client, JSONL).splitlines()]
    assert [line["metadata"] for line in lines] == [{"a": 2}, "{", {"a": 1}]
