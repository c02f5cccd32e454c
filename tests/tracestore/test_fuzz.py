"""Whatever is sent, the store answers below 500, and can still be read."""

from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzz
from tests.tracestore.otlp_mutations import make_batch, to_json, to_plain_json, to_protobuf
from tests.tracestore.store_calls import PROTOBUF_HEADERS, query_rows

JSON_HEADERS = {"Content-Type": "application/json"}
ENCODINGS = [
    ("/v1/traces", PROTOBUF_HEADERS, to_protobuf),
    ("/v1/traces", JSON_HEADERS, to_json),
    ("/v1/spans", JSON_HEADERS, to_plain_json),
]
SPANS = "SELECT * FROM spans ORDER BY start_time DESC LIMIT 5"
TRACES = "SELECT *, simpleJSONExtractRaw(metadata, 'k') AS k FROM traces ORDER BY start_time DESC LIMIT 5"


@pytest.mark.fuzz
@fuzz.settings_for(150)
@given(random=st.randoms(use_true_random=True))
def test_it_answers_any_trace_request(full_client: httpx.Client, random: Random) -> None:
    path, headers, encode = random.choice(ENCODINGS)
    response = full_client.post(path, content=encode(make_batch(random), random), headers=headers)
    assert response.status_code in (200, 400), (response.status_code, response.text)
    if random.random() < 0.1:
        query_rows(full_client, SPANS)
        query_rows(full_client, TRACES)
