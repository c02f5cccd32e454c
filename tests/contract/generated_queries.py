"""Queries over traces and spans as people write them in Laminar's SQL editor, generated from a seed."""
# ruff: noqa: S608 - queries are assembled from parts

import random

NUMBERS = {
    "traces": ["duration", "total_tokens", "input_tokens", "output_tokens", "total_cost"],
    "spans": ["duration", "total_tokens", "input_tokens", "total_cost"],
}
TEXTS = {
    "traces": ["status", "user_id", "session_id", "top_span_name", "trace_type"],
    "spans": ["name", "span_type", "status", "model", "provider"],
}
TIMES = [
    "toStartOfInterval(start_time, INTERVAL 6 HOUR)", "toStartOfInterval(start_time, INTERVAL 15 MINUTE)",
    "toStartOfHour(start_time)", "toStartOfDay(start_time)", "toStartOfMonth(start_time)", "toMonday(start_time)",
    "toHour(start_time)", "toDayOfWeek(start_time)", "toDate(start_time)", "date_trunc('quarter', start_time)",
    "date_trunc('week', start_time)", "date_trunc('day', start_time)", "toYYYYMM(start_time)",
    "formatDateTime(start_time, '%Y-%m-%d %H:%i')", "toStartOfFifteenMinutes(start_time)",
]  # fmt: skip
JSON = [
    "JSON_VALUE(metadata, '$.env')", "JSONExtract(metadata, 'score', 'Nullable(Int64)')",
    "JSONExtract(metadata, 'env', 'Nullable(String)')", "JSONExtractString(metadata, 'env')",
    "JSONExtractInt(metadata, 'score')", "simpleJSONExtractRaw(metadata, 'f')", "isValidJSON(metadata)",
    "JSONExtractFloat(metadata, 'f')", "JSONHas(metadata, 'flag')", "JSONExtract(metadata, 'flag', 'Bool')",
    "simpleJSONExtractString(metadata, 'env')", "JSONExtract(metadata, 'f', 'Float64')",
]  # fmt: skip
ARRAYS = [
    "arrayFilter(x -> x != 'a', tags)", "length(tags)", "has(tags, 'b')", "arrayMap(x -> upper(x), tags)",
    "arrayExists(x -> x = 'c', tags)", "arrayStringConcat(arraySort(tags), ',')", "notEmpty(tags)",
    "arrayCount(x -> x > 'a', tags)",
]  # fmt: skip
AGGREGATES = [
    "count()", "count(*)", "sum({n})", "avg({n})", "min({n})", "max({n})", "quantile(0.9)({n})", "uniq({t})",
    "quantiles(0.5, 0.9)({n})", "countIf({n} > 3)", "sumIf({n}, status = 'error')", "length(topK(3)(status))",
    "median({n})",
    "count(DISTINCT {t})", "round(avg({n}), 3)", "max({n}) - min({n})", "uniqExact({t})", "maxIf({n}, {n} < 0)",
    "sum({n}) / count()", "argMax({t}, start_time)", "avgIf({n}, {n} > 1)", "stddevPop({n})",
]  # fmt: skip
# What ClickHouse refuses.
MISTAKES = [
    "SELECT {t} FROM {table} WHERE {id} = 'x'", "SELECT sum({t}) FROM {table}", "SELECT {id} + 1 FROM {table}",
    "SELECT {t}, count() FROM {table}", "SELECT {t}, {n} FROM {table} GROUP BY {t}", "SELECT {t} + {n} FROM {table}",
    "SELECT {t} FROM {table} WHERE {t} = 1", "SELECT {t} FROM {table} WHERE sum({n}) > 1",
    "SELECT avg({id}) FROM {table}", "SELECT lower({n}) FROM {table}", "SELECT {t} FROM {table} WHERE {n} = 'x'",
    "SELECT {id} FROM {table} WHERE {t}", "SELECT {id} FROM {table} WHERE {id} IN ('x')",
    "SELECT max(sum({n})) FROM {table}", "SELECT start_time * 2 FROM {table}", "SELECT intDiv({t}, 2) FROM {table}",
    "SELECT toHour({t}) FROM {table}", "SELECT if({t}, 1, 2) FROM {table}", "SELECT {id} FROM {table} WHERE {id} = {t}",
    "SELECT {t}, count() FROM {table} GROUP BY {t} ORDER BY {n}", "SELECT missing FROM {table}",
    "SELECT start_time + start_time FROM {table}", "SELECT simpleJSONHas({n}, 'k') FROM {table}",
]  # fmt: skip


def generate(seed: int) -> str:
    """Returns the query of a seed; one in eight is a mistake."""
    rng = random.Random(seed)
    table = rng.choice(["traces", "spans"])
    parts = {
        "table": table, "n": rng.choice(NUMBERS[table]), "t": rng.choice(TEXTS[table]),
        "id": "id" if table == "traces" else "span_id",
    }  # fmt: skip
    if seed % 8 == 0:
        return rng.choice(MISTAKES).format(**parts)
    build = rng.choice([_list_rows, _list_rows, _group, _group, _group_by_time, _limit_by, _join, _nest])
    return build(rng, table).format(**parts)


def _condition(rng: random.Random, table: str) -> str:
    conditions = [
        "{n} > " + str(rng.randint(0, 900) / rng.choice([1, 100])), "{t} = 'error'", "{t} != ''",
        "{n} BETWEEN 1 AND 600", "start_time > '2026-01-05'", "start_time >= toDateTime64('2026-01-04 10:00:00', 9)",
        "match({t}, '^[a-s]')", "{t} IN ('success', 'chat', 'u1')", "{t} LIKE '%s%'", "intDiv({n}, 2) > 1",
        "NOT ({n} > 2)", "{t} NOT LIKE 's%' AND {n} >= 0", "toHour(start_time) < 12", "total_tokens % 2 < 1",
        "start_time < toDateTime('2026-01-10 00:00:00') - INTERVAL 1 DAY",
    ]  # fmt: skip
    if table == "traces":
        conditions += [
            "JSONHas(metadata, 'env')",
            "has(tags, 'a')",
            "simpleJSONExtractString(metadata, 'env') = 'prod'",
        ]
    return f" WHERE {' AND '.join(rng.sample(conditions, rng.randint(1, 2)))}" if rng.random() < 0.7 else ""


def _list_rows(rng: random.Random, table: str) -> str:
    columns = ["{n} * 2 AS twice", "twice + 1 AS more", "{t}", "upper({t}) AS upper_text", rng.choice(TIMES)]
    columns += [f"{rng.choice(JSON)} AS j", rng.choice(ARRAYS)] if table == "traces" else ["duration > 1 AS is_slow"]
    if rng.random() < 0.3:
        excluded = "input, output, attributes, events" if table == "spans" else "metadata, tags, span_names"
        columns = [f"* EXCEPT ({excluded})"]
    else:
        # The second column uses the alias of the first.
        columns = [columns[0], *rng.sample(columns[1:], rng.randint(1, 3))]
    limit = rng.choice(["", " LIMIT 5", " LIMIT 3 OFFSET 2"])
    return f"SELECT {', '.join(columns)} FROM {{table}}{_condition(rng, table)} ORDER BY start_time, {{id}}{limit}"


def _group(rng: random.Random, table: str) -> str:
    aggregates = ", ".join(rng.sample(AGGREGATES, rng.randint(1, 3)))
    having = rng.choice(["", "", " HAVING count() > 1"])
    key = rng.choice(["{t}", "upper({t})", "{t} AS label", "length({t})"])
    group = rng.choice(["ALL", "label" if key.endswith("label") else key])
    if rng.random() < 0.25:
        return f"SELECT {aggregates} FROM {{table}}{_condition(rng, table)}"
    return f"SELECT {key}, {aggregates} FROM {{table}}{_condition(rng, table)} GROUP BY {group}{having}"


def _group_by_time(rng: random.Random, table: str) -> str:
    aggregate = rng.choice(AGGREGATES)
    where = _condition(rng, table)
    return f"SELECT {rng.choice(TIMES)} AS bucket, {aggregate} FROM {{table}}{where} GROUP BY bucket ORDER BY bucket"


def _limit_by(rng: random.Random, table: str) -> str:
    tail = rng.choice(["", " LIMIT 4"])
    order = " ORDER BY start_time DESC, {id}"
    return (
        f"SELECT {{id}}, {{t}} FROM {{table}}{_condition(rng, table)}{order} LIMIT {rng.randint(1, 3)} BY {{t}}{tail}"
    )


def _join(rng: random.Random, table: str) -> str:
    return (
        "SELECT t.top_span_name, s.name, count() AS c, sum(s.total_tokens) FROM traces AS t"
        f" JOIN spans AS s ON s.trace_id = t.id WHERE t.duration > {rng.randint(0, 3)}"
        f" GROUP BY t.top_span_name, s.name ORDER BY c DESC, s.name LIMIT {rng.randint(1, 5)}"
    )


def _nest(rng: random.Random, table: str) -> str:
    inner = f"SELECT {{t}} AS label, {{n}} AS value FROM {{table}}{_condition(rng, table)}"
    return rng.choice([
        f"SELECT label, max(value) FROM ({inner}) GROUP BY label",
        f"WITH rows AS ({inner}) SELECT count(), sum(value) FROM rows",
        f"SELECT {{id}} FROM {{table}} WHERE {{t}} IN (SELECT label FROM ({inner})) ORDER BY {{id}} LIMIT 5",
        "WITH (SELECT max({n}) FROM {table}) AS top SELECT count() FROM {table} WHERE {n} < top",
    ])  # fmt: skip
