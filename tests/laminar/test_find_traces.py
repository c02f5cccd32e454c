import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from reviewapp.laminar import Laminar, RequestRefused
from tests.laminar.local_server import client_with_handler
from tests.skips import NO_CLICKHOUSE

STORED = {
    1: '{"k":1}',
    2: '{"k":"1"}',
    3: '{"k":1.0}',
    4: '{"k":true}',
    5: '{"k":"a=b? {x:String}"}',
    6: '{"k":""}',
    7: '{"k":null}',
    8: '{"k":["a","b"]}',
    9: '{"k":"a\\"b"}',
    10: '{"other":"1"}',
    11: '{"k":"it\'s \\\\ é"}',
}


def request_body(*args: Any, **options: Any) -> dict[str, Any]:
    bodies: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"data": []})

    client_with_handler(handler).find_traces(*args, **options)
    return bodies[0]


def test_it_sends_pairs_as_parameters() -> None:
    body = request_body([("a'b", "1"), ("c", "d?")])
    assert body["parameters"] == {"key0": "a'b", "value0": "1", "key1": "c", "value1": "d?", "limit": 50}
    assert body["query"].count(" AND ") == 1
    assert not {"'", "?"} & set(body["query"])


@pytest.mark.parametrize("key", ['quo"te', "back\\slash", "new\nline", "tab\t", "é€"])
def test_it_finds_any_key_in_the_text_of_the_metadata(key: str) -> None:
    sent = request_body([(key, "1")])["parameters"]["key0"]
    assert f'"{sent}":' in json.dumps({key: 1}, ensure_ascii=False)


def test_it_requests_the_newest_traces_without_a_filter() -> None:
    body = request_body([], limit=7)
    assert body["query"] == "SELECT * FROM traces ORDER BY start_time DESC, id DESC LIMIT {limit:UInt32}"
    assert body["parameters"] == {"limit": 7}


def test_it_sends_times_in_utc() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))
    body = request_body([], since=noon, until=noon + timedelta(microseconds=1))
    assert body["parameters"]["since"] == "2026-11-22 10:00:00.000000"
    assert body["parameters"]["until"] == "2026-11-22 10:00:00.000001"


def test_it_refuses_a_pair_without_a_key() -> None:
    with pytest.raises(RequestRefused, match="needs a key"):
        request_body([("", "1")])


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[Laminar]:
    """A client whose queries ClickHouse runs. Trace n starts at second n and has the metadata STORED[n]."""
    session = pytest.importorskip("chdb.session", reason=NO_CLICKHOUSE).Session()
    columns = "id UUID, start_time DateTime64(9, 'UTC'), end_time DateTime64(9, 'UTC'), metadata String"
    session.query(f"CREATE TABLE traces ({columns}) ENGINE = Memory")
    for number, metadata in STORED.items():
        moment = f"2026-11-22 10:00:{number:02}"
        row = {"id": f"{number:032x}", "start_time": moment, "end_time": moment, "metadata": metadata}
        session.query(f"INSERT INTO traces FORMAT JSONEachRow {json.dumps(row)}")

    def handler(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        parameters = {
            name: "[" + ",".join(f"'{item}'" for item in value) + "]" if isinstance(value, list) else value
            for name, value in body["parameters"].items()
        }
        result = json.loads(session.query(body["query"], "JSON", params=parameters).data())
        return httpx.Response(200, json={"data": result["data"]})

    yield client_with_handler(handler)
    session.close()


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ("1", [2, 1]),
        ('"1"', [2]),
        ("1.0", [3]),
        ("true", [4]),
        ("a=b? {x:String}", [5]),
        ("", [6]),
        ("null", [7]),
        ('["a","b"]', [8]),
        ('a"b', [9]),
        ("it's \\ é", [11]),
        ("' OR 1=1 --", []),
    ],
)
def test_it_finds_the_same_as_laminars_ui(clickhouse: Laminar, value: str, numbers: list[int]) -> None:
    assert [trace.id.int for trace in clickhouse.find_traces([("k", value)]).readable] == numbers


def test_it_finds_traces_in_a_time_range(clickhouse: Laminar) -> None:
    since = datetime(2026, 11, 22, 10, 0, 3, tzinfo=UTC)
    traces = clickhouse.find_traces([], since=since, until=since + timedelta(seconds=2)).readable
    assert [trace.id.int for trace in traces] == [4, 3]


def test_it_finds_traces_by_id(clickhouse: Laminar) -> None:
    newest = clickhouse.find_traces([], limit=2).readable
    traces = clickhouse.traces([trace.id for trace in newest]).readable
    assert {trace.metadata for trace in traces} == {STORED[10], STORED[11]}
