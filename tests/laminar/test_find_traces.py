import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from reviewapp.laminar import Laminar, RequestRefused
from tests.laminar.local_server import client_with_handler

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


def sent_by(*args: Any, **options: Any) -> dict[str, Any]:
    bodies: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"data": []})

    client_with_handler(handler).find_traces(*args, **options)
    return bodies[0]


def test_it_sends_pairs_as_parameters() -> None:
    sent = sent_by([("a'b", "1"), ("c", "d?")])
    assert sent["parameters"] == {"key0": "a'b", "value0": "1", "key1": "c", "value1": "d?", "limit": 50}
    assert sent["query"].count(" AND ") == 1
    assert not {"'", "?"} & set(sent["query"])


def test_it_asks_for_the_newest_without_a_filter() -> None:
    sent = sent_by([], limit=7)
    assert sent["query"] == "SELECT * FROM traces ORDER BY start_time DESC, id DESC LIMIT {limit:UInt32}"
    assert sent["parameters"] == {"limit": 7}


def test_it_sends_times_in_utc() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))
    sent = sent_by([], since=noon, until=noon + timedelta(microseconds=1))
    assert sent["parameters"]["since"] == "2026-11-22 10:00:00.000000"
    assert sent["parameters"]["until"] == "2026-11-22 10:00:00.000001"


def test_it_refuses_a_pair_without_a_key() -> None:
    with pytest.raises(RequestRefused, match="needs a key"):
        sent_by([("", "1")])


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[Laminar]:
    """A client whose queries ClickHouse itself answers; trace n begins at second n and holds STORED[n]."""
    session = pytest.importorskip("chdb.session").Session()
    columns = "id UUID, start_time DateTime64(9, 'UTC'), end_time DateTime64(9, 'UTC'), metadata String"
    session.query(f"CREATE TABLE traces ({columns}) ENGINE = Memory")
    for number, metadata in STORED.items():
        began = f"2026-11-22 10:00:{number:02}"
        row = {"id": f"{number:032x}", "start_time": began, "end_time": began, "metadata": metadata}
        session.query(f"INSERT INTO traces FORMAT JSONEachRow {json.dumps(row)}")

    def handler(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        parameters = {
            name: "[" + ",".join(f"'{item}'" for item in value) + "]" if isinstance(value, list) else value
            for name, value in body["parameters"].items()
        }
        found = json.loads(session.query(body["query"], "JSON", params=parameters).data())
        return httpx.Response(200, json={"data": found["data"]})

    yield client_with_handler(handler)
    session.close()


@pytest.mark.parametrize(
    ("value", "found"),
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
def test_it_finds_what_laminars_pages_find(clickhouse: Laminar, value: str, found: list[int]) -> None:
    assert [trace.id.int for trace in clickhouse.find_traces([("k", value)])] == found


def test_it_finds_traces_of_a_time(clickhouse: Laminar) -> None:
    since = datetime(2026, 11, 22, 10, 0, 3, tzinfo=UTC)
    found = clickhouse.find_traces([], since=since, until=since + timedelta(seconds=2))
    assert [trace.id.int for trace in found] == [4, 3]


def test_it_finds_traces_by_id(clickhouse: Laminar) -> None:
    newest = clickhouse.find_traces([], limit=2)
    assert {trace.metadata for trace in clickhouse.traces([trace.id for trace in newest])} == {STORED[10], STORED[11]}
