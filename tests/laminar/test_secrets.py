import base64
import gzip
import io
import logging
import traceback
from collections.abc import Callable
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from reviewapp.laminar import AsyncLaminar, KeyRefused, Laminar, LaminarError
from reviewapp.laminar.redaction import redact_key
from tests.laminar.local_server import KEY, client_with_response, respond_with, run_server


def render(error: LaminarError) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 404, 500])
@pytest.mark.parametrize("echo", [KEY, f"Bearer {KEY}", KEY.upper(), KEY[:40], KEY[-12:], f'"{KEY}"', KEY * 30])
def test_it_removes_an_echoed_key(status: int, echo: str) -> None:
    with pytest.raises(LaminarError) as caught:
        client_with_response(status, f"no such key: {echo}".encode(), location=f"/{echo}").push_metadata(
            uuid4(), {"a": 1}
        )
    assert echo not in render(caught.value)
    assert KEY[-8:] not in render(caught.value)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_it_removes_an_escaped_key(status: int, depth: int) -> None:
    escaped = "".join("\\" * depth + f"u{ord(char):04x}" for char in KEY)
    with pytest.raises(LaminarError) as caught:
        client_with_response(status, f'{{"error":"no such key: {escaped}"}}'.encode()).project()
    assert KEY[:8] not in render(caught.value)
    assert escaped[:40] not in render(caught.value)


def test_it_keeps_other_text() -> None:
    assert redact_key(f"key {KEY} of project 7", KEY) == "key [key] of project 7"


def test_it_removes_a_short_key() -> None:
    assert redact_key("a k1 b", "k1") == "a [key] b"


def test_it_shows_no_key_in_its_repr() -> None:
    assert repr(Laminar("https://laminar.test/", KEY)) == "Laminar('https://laminar.test')"
    assert repr(AsyncLaminar("https://laminar.test/", KEY)) == "AsyncLaminar('https://laminar.test')"


@pytest.mark.parametrize("key", ["", " ", f"{KEY}\nX-Other: 1", f"{KEY} b", f"{KEY}é", f"{KEY}\x00"])
def test_it_refuses_a_key_that_is_not_valid_in_a_header(key: str) -> None:
    with pytest.raises(KeyRefused) as caught:
        Laminar("https://laminar.test", key)
    assert KEY not in str(caught.value)


def test_it_strips_white_space_around_a_key() -> None:
    laminar = Laminar("https://laminar.test", f" {KEY}\n", transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    laminar.push_metadata(uuid4(), {"a": 1})


def test_it_logs_no_key() -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    with run_server(respond_with()) as server:
        server.laminar().push_metadata(uuid4(), {"a": 1})
    logging.getLogger("httpx").setLevel(logging.NOTSET)
    logging.getLogger().removeHandler(handler)
    assert "/v1/traces/metadata" in log.getvalue()
    assert KEY not in log.getvalue()


def test_it_refuses_a_compressed_response_without_showing_it() -> None:
    compressed = gzip.compress(KEY.encode())
    with (
        run_server(respond_with(compressed, "200 OK", "Content-Encoding: gzip")) as server,
        pytest.raises(LaminarError, match="compressed") as caught,
    ):
        server.laminar().project()
    assert caught.value.response_text == ""


ENCODINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of the header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"id:{key}".encode()).decode().rstrip("="),
    "base64 in lines": lambda key: base64.encodebytes(key.encode()).decode(),
    "base32": lambda key: base64.b32encode(f"to{key}".encode()).decode(),
    "hexadecimal": lambda key: key.encode().hex(),
    "hexadecimal with colons": lambda key: key.encode().hex(":").upper(),
    "hexadecimal numbers": lambda key: " ".join(f"0x{byte:02x}," for byte in key.encode()),
    "escaped bytes": lambda key: "".join(f"\\x{byte:02x}" for byte in key.encode()),
    "percent": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "percent twice": lambda key: quote("".join(f"%{byte:02x}" for byte in key.encode())),
    "JSON": lambda key: "".join(f"\\u{ord(char):04X}" for char in key),
    "references": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "hexadecimal references": lambda key: "".join(f"&#x{ord(char):x};" for char in key),
    "reversed": lambda key: key[::-1],
    "hyphens": "-".join,
    "spaces": " ".join,
    "hidden characters": "\u200b".join,
    "groups": lambda key: " / ".join(key[start : start + 4] for start in range(0, len(key), 4)),
    "small letters": str.lower,
}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("key", [KEY, "sk-0xAbf00d_9~41/8=Zq"])
def test_it_removes_an_encoded_key(name: str, key: str) -> None:
    echo = ENCODINGS[name](key)
    text = redact_key(f"no such key: <{echo}>, ask an admin", key)

    assert text.startswith("no such key: <")
    assert text.endswith(", ask an admin")
    assert len(text.replace("[key]", "")) < len("no such key: <>, ask an admin") + 16  # what else was encoded


@pytest.mark.parametrize(
    "text", ["", "the trace 7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04 is unknown", "%", "\\", "&#", "%2"]
)
def test_it_keeps_text_without_the_key(text: str) -> None:
    assert redact_key(text, KEY) == text
