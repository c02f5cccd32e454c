"""Bodies in chunks, and bodies larger than allowed, before they are complete."""

import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reviewapp.lib.http_server.chunked_body import ChunkedBody
from tests.tracestore.store_calls import PROTOBUF_HEADERS, encode_spans, fetch_spans, fetch_trace, make_span
from tests.tracestore_server import RunningStore, run_store

MIB = 1024 * 1024


def _split(body: bytes, size: int) -> Iterator[bytes]:
    for position in range(0, len(body), size):
        yield body[position : position + size]


def test_it_accepts_a_body_in_chunks(full_client: httpx.Client, trace_id: str) -> None:
    body = encode_spans(make_span(trace_id, attributes={"key": "x" * 300_000}))
    response = full_client.post("/v1/traces", content=_split(body, 1000), headers=PROTOBUF_HEADERS)
    assert "Transfer-Encoding" in response.request.headers
    assert (response.status_code, fetch_trace(full_client, trace_id)["id"]) == (200, trace_id)


def test_it_refuses_chunks_over_5_mib(full_client: httpx.Client) -> None:
    response = full_client.post("/v1/traces", content=_split(b"x" * 6 * MIB, MIB), headers=PROTOBUF_HEADERS)
    assert response.status_code == 413


@pytest.mark.parametrize("chunks", [b"x\r\n", b"-1\r\n", b"3\r\nabcd\r\n", b"1 0\r\n", b"3\nabc\n"])
def test_it_refuses_malformed_chunks(tracestore: RunningStore, chunks: bytes) -> None:
    head = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", tracestore.port), timeout=60) as client:
        client.sendall(head + chunks)
        assert client.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_it_decodes_chunks_received_in_any_pieces(size: int) -> None:
    received: list[bytes] = []
    body = ChunkedBody(received.append)
    sent = b"4;name=value\r\nWiki\r\n00000A\r\npedia in\r\n\r\n0\r\nTrailer: 1\r\n\r\nGET /"
    rest = b"".join(body.feed(piece) for piece in _split(sent, size))
    assert (b"".join(received), body.is_complete, rest) == (b"Wikipedia in\r\n", True, b"GET /")


def test_it_accepts_deflate(full_client: httpx.Client, trace_id: str) -> None:
    response = _post_deflated(full_client, zlib.compress(encode_spans(make_span(trace_id))))
    assert (response.status_code, fetch_trace(full_client, trace_id)["id"]) == (200, trace_id)


@pytest.mark.parametrize("spoil", [lambda body: body[:-2], lambda body: body + b"more", lambda body: b"no zlib"])
def test_it_refuses_broken_deflate(full_client: httpx.Client, trace_id: str, spoil: Callable[[bytes], bytes]) -> None:
    response = _post_deflated(full_client, spoil(zlib.compress(encode_spans(make_span(trace_id)))))
    assert (response.status_code, response.text.partition(": ")[0]) == (400, "Failed to decode the deflate body")


def test_it_refuses_a_deflate_bomb(full_client: httpx.Client) -> None:
    assert _post_deflated(full_client, zlib.compress(b"\0" * 6 * MIB)).status_code == 413


def test_it_accepts_batches_of_sdks_where_the_limit_allows(tmp_path: Path, trace_id: str) -> None:
    spans = [make_span(trace_id, number, attributes={"lmnr.span.input": "x" * 10 * MIB}) for number in (1, 2, 3)]
    with (
        run_store(tmp_path, variables={"HTTP_PAYLOAD_LIMIT": str(32 * MIB)}) as store,
        store.client() as client,
    ):
        assert client.post("/v1/traces", content=encode_spans(*spans), headers=PROTOBUF_HEADERS).status_code == 200
        assert len(fetch_spans(client, trace_id)) == 3
        assert client.post("/v1/traces", content=b"x" * 33 * MIB, headers=PROTOBUF_HEADERS).status_code == 413


def _post_deflated(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/v1/traces", content=body, headers=PROTOBUF_HEADERS | {"Content-Encoding": "deflate"})
