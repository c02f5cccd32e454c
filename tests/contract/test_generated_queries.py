"""300 generated queries and 800 random filters: the store's own SQL and ClickHouse give the same answers."""

import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from reviewapp.laminar import wire
from tests.contract.generated_queries import generate
from tests.tracestore.store_calls import METADATA_PREFIX, SECOND, START, make_span, push_metadata, send_spans
from tests.tracestore_server import new_keys, run_store

pytest.importorskip("chdb")

QUERIES, FILTERS, BATCH = 300, 800, 20
KEYS = ["env", "score", "note", "a.b", "üñ", 'quo"te', "x y"]
VALUES: list[Any] = [
    0, 1, -2, 1.5, 0.1, 1e21, True, False, None, "", "1", "true", "null", "a=b", "x y", "ü€😀", 'say "hi"',
    "back\\slash", "line\nbreak", "{}", ["a", 1], {"k": "v"}, {"env": "inner"}, [], {}, "[1]", 12345678901234567,
]  # fmt: skip


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two stores over one file: the first with its own SQL, the second with ClickHouse."""
    folder, keys = tmp_path_factory.mktemp("engines"), new_keys()
    with (
        run_store(folder, keys=keys) as own,
        run_store(folder, keys=keys, variables={"STORE_SQL": "clickhouse"}) as clickhouse,
        own.client() as own_client,
        clickhouse.client() as clickhouse_client,
    ):
        _store_traces(own_client)
        yield own_client, clickhouse_client


def _store_traces(client: httpx.Client) -> None:
    rng = random.Random(14)
    for number in range(40):
        trace_id, start = str(UUID(int=number + 1)), START + number * 7 * 3600 * SECOND + rng.randint(0, SECOND)
        metadata = {"env": rng.choice(["prod", "dev"]), "score": number % 5, "f": number / 4, "flag": number % 2 == 0}
        attributes: dict[str, Any] = {
            f"{METADATA_PREFIX}{key}": value for key, value in metadata.items() if rng.random() < 0.8
        }
        attributes["lmnr.association.properties.tags"] = rng.sample(["a", "b", "c"], rng.randint(0, 3))
        attributes["lmnr.association.properties.user_id"] = rng.choice(["u1", "u2", ""])
        spans = [make_span(trace_id, name="agent", start=start, end=start + SECOND * 3, attributes=attributes)]
        for child in range(2, 2 + rng.randint(0, 3)):
            usage = {"gen_ai.usage.input_tokens": rng.randint(1, 900), "gen_ai.usage.cost": rng.random()}
            model = {"gen_ai.system": "openai", "gen_ai.request.model": rng.choice(["gpt-4o", "o3"])}
            begin = start + child * SECOND // 10
            more = {"start": begin, "end": begin + rng.randint(1, 2000) * 1_000_000, "attributes": usage | model}
            events = ["exception"] if rng.random() < 0.2 else []
            name = rng.choice(["chat", "search"])
            spans.append(make_span(trace_id, child, parent=1, name=name, events=events, **more))
        send_spans(client, *spans)
        patch = {rng.choice(KEYS): rng.choice(VALUES) for _ in range(rng.randint(1, 4))}
        push_metadata(client, trace_id, patch)


def _run(client: httpx.Client, query: str, parameters: dict[str, Any] | None = None) -> Any:
    response = client.post("/v1/sql/query", json={"query": query, "parameters": parameters or {}})
    assert response.status_code in (200, 400), response.text
    return response.json()["data"] if response.status_code == 200 else "refused"


def _round(value: Any) -> Any:
    """Returns a result with floats rounded: the engines add them up in different orders."""
    if isinstance(value, dict):
        return {key: _round(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_round(item) for item in value]
    return float(f"{value:.9g}") if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _normalise(rows: Any, query: str) -> Any:
    rows = _round(rows)
    return rows if "ORDER BY" in query or rows == "refused" else sorted(rows, key=json.dumps)


@pytest.mark.parametrize("first", range(0, QUERIES, BATCH))
def test_it_answers_generated_queries_as_clickhouse_does(
    clients: tuple[httpx.Client, httpx.Client], first: int
) -> None:
    for seed in range(first, first + BATCH):
        query = generate(seed)
        own, clickhouse = (_normalise(_run(client, query), query) for client in clients)
        assert (query, own) == (query, clickhouse)


@pytest.mark.parametrize("first", range(0, FILTERS, BATCH))
def test_it_matches_random_filters_as_clickhouse_does(clients: tuple[httpx.Client, httpx.Client], first: int) -> None:
    columns: list[str] = []
    parameters: dict[str, str] = {}
    rng = random.Random(first)
    for number in range(BATCH):
        value = rng.choice(VALUES)
        text = value if isinstance(value, str) and rng.random() < 0.5 else json.dumps(value, ensure_ascii=False)
        text = text.replace(", ", ",").replace(": ", ":") if isinstance(value, (list, dict)) else text
        parameters |= {f"k{number}": wire.escape_key(rng.choice([*KEYS, "f"])), f"v{number}": text}
        pair = f"{{k{number}:String}}) = {{v{number}:String}}"
        condition = f"simpleJSONExtractString(metadata, {pair} OR simpleJSONExtractRaw(metadata, {pair}"
        columns.append(f"arraySort(groupArrayIf(toString(id), {condition})) AS found{number}")
    query = " ".join(["SELECT", ", ".join(columns), "FROM traces"])
    own, clickhouse = (_run(client, query, parameters) for client in clients)
    assert (parameters, own) == (parameters, clickhouse)


def test_it_reads_new_rows_with_clickhouse(clients: tuple[httpx.Client, httpx.Client]) -> None:
    before = _run(clients[1], "SELECT count() AS n FROM traces")
    send_spans(clients[0], make_span(str(UUID(int=99))))
    assert _run(clients[1], "SELECT count() AS n FROM traces") == [{"n": before[0]["n"] + 1}]
    assert _run(clients[1], "SELECT * FROM url('http://127.0.0.1/', CSV, 'a String')") == "refused"
    assert _run(clients[1], "SELECT 1 AS one SETTINGS max_threads = 1 FORMAT CSV") == [{"one": 1}]
