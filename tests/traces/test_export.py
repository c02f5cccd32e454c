"""A view as a file: the ticked traces or all of it, its columns, and no cell that a spreadsheet would run."""

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


def text(client: Client, url: str, **query: Any) -> str:
    return client.get(url, query).getvalue().decode()


def rows(client: Client, **query: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(text(client, CSV, **query).splitlines()))


def test_it_has_the_views_traces_newest_first_with_its_columns(lead_client: Client, project: Project) -> None:
    first, second = (TraceFactory.create(project=project, metadata=f'{{"a":1,"b":"{n}"}}') for n in range(2))
    TraceFactory.create(project=project, metadata='{"a":2}')
    found = rows(lead_client, m="a=1", c=["b", "no"])
    assert [(row["trace_id"], row["b"], row["no"]) for row in found] == [
        (str(second.trace_id), "1", ""), (str(first.trace_id), "0", ""),
    ]  # fmt: skip
    assert json.loads(found[0]["metadata"]) == {"a": 1, "b": "1"}
    assert found[0]["seconds"] == "2.0"


def test_it_has_the_ticked_ones_alone(lead_client: Client, project: Project) -> None:
    wanted, _ = (TraceFactory.create(project=project) for _ in range(2))
    assert [row["trace_id"] for row in rows(lead_client, trace=str(wanted.trace_id))] == [str(wanted.trace_id)]


def test_no_cell_is_a_formula(lead_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, name="=1+1", metadata=canonical_json.dumps({"=k": "@cmd"}))
    (row,) = rows(lead_client, c="=k")
    assert (row["name"], row["'=k"]) == ("'=1+1", "'@cmd")


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-5, "-5"), (-1.5e-9, "-1.5e-09"), ("+5", "+5"), ("-5+1", "'-5+1"), ("-", "'-")],
)
def test_a_number_is_a_number(lead_client: Client, project: Project, value: object, cell: str) -> None:
    TraceFactory.create(project=project, metadata=json.dumps({"k": value}))
    (row,) = rows(lead_client, c="k")
    assert row["k"] == cell


def test_a_line_is_an_object_with_laminars_spelling(lead_client: Client, project: Project) -> None:
    TraceFactory.create(project=project, name="é\u202e", metadata=r'{"a":1.0,"b":"\ud800"}')
    (line,) = text(lead_client, JSONL).splitlines()
    assert json.loads(line)["name"] == "é\u202e"
    assert line.endswith(r'"metadata": {"a":1.0,"b":"\ud800"}}')


def test_it_is_for_leads_of_the_project(reviewer_client: Client, outsider_client: Client, project: Project) -> None:
    TraceFactory.create(project=project)
    assert reviewer_client.get(CSV).status_code == 403
    assert outsider_client.get(CSV).status_code == 404
    assert text(outsider_client, "/p/elsewhere/traces/export.jsonl") == ""


def test_what_cannot_be_read_leads_back_to_the_list(lead_client: Client, project: Project) -> None:
    assert lead_client.get(CSV, {"m": "a"}).status_code == 302


def test_of_a_large_view_the_newest_are_taken(project: Project) -> None:
    traces = [TraceFactory.create(project=project) for _ in range(3)]
    chosen = selection.select_view(project, FilterView(), limit=2)
    assert (list(chosen.pks), chosen.is_cut) == ([traces[2].pk, traces[1].pk], True)
    assert Trace.objects.count() == 3
