"""An image that a trace carries in itself is shown on demand, and can be nothing else."""

import base64
import json
import re
from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.lib import clock
from reviewapp.traces.models import Trace
from reviewapp.traces.transcript import pictures
from tests.factories import SpanFactory, TraceFactory

PNG = b"\x89PNG\r\n\x1a\n" + b"rest of a picture"
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0" + b"x" * 20, b"GIF89a" + b"x" * 20, b"RIFF\x08\x00\x00\x00WEBP" + b"x" * 20
HTML, SVG = b"<html><script>alert(1)</script>", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def data(content: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def openai(content: bytes, mime: str = "image/png") -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": data(content, mime)}}


def anthropic(content: bytes, mime: str = "image/png") -> dict[str, object]:
    source = {"type": "base64", "media_type": mime, "data": base64.b64encode(content).decode()}
    return {"type": "image", "source": source}


@pytest.fixture
def trace(project: Project) -> Trace:
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=1)
    return trace


def offered(client: Client, trace: Trace, block: object) -> list[str]:
    """The addresses of the images that the transcript of a trace with this block offers."""
    given = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, block]}]
    SpanFactory.create(trace=trace, span_id=UUID(int=1), input=json.dumps(given))
    page = client.get(f"/p/support/traces/{trace.trace_id}/").text
    assert "data:image" not in page
    return re.findall('<img src="([^"]*)"', page)


def address(trace: Trace, content: bytes) -> str:
    """Where an image would be, whoever offers it."""
    name = pictures.digest(base64.b64encode(content).decode())
    return f"/p/support/traces/{trace.trace_id}/images/{UUID(int=1)}/{name}"


@pytest.mark.parametrize("block", [openai(PNG), anthropic(PNG)], ids=["openai", "anthropic"])
def test_it_offers_an_image_and_shows_it(reviewer_client: Client, trace: Trace, block: object) -> None:
    (place,) = offered(reviewer_client, trace, block)
    answer = reviewer_client.get(place)
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, PNG, "image/png")
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize(
    ("content", "kind"), [(JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")], ids=["jpeg", "gif", "webp"]
)
def test_its_own_bytes_say_what_it_is(reviewer_client: Client, trace: Trace, content: bytes, kind: str) -> None:
    (place,) = offered(reviewer_client, trace, openai(content))
    assert reviewer_client.get(place)["Content-Type"] == kind


@pytest.mark.parametrize(
    "block", [openai(SVG, "image/svg+xml"), openai(HTML, "text/html"), {"type": "image_url", "image_url": "https://x.test/a.png"}],
    ids=["svg", "html", "remote"],
)  # fmt: skip
def test_it_refuses_to_offer_what_is_no_plain_image(reviewer_client: Client, trace: Trace, block: object) -> None:
    assert offered(reviewer_client, trace, block) == []


@pytest.mark.parametrize("content", [SVG, HTML, b"x" * 30, b"RIFF\x08\x00\x00\x00WAVE" + b"x" * 20], ids=repr)
def test_it_refuses_bytes_that_are_no_image(reviewer_client: Client, trace: Trace, content: bytes) -> None:
    offered(reviewer_client, trace, openai(content))
    answer = reviewer_client.get(address(trace, content))
    assert answer.status_code == 404
    assert content not in answer.content


def test_it_refuses_one_that_is_too_large(
    reviewer_client: Client, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "SIZE_LIMIT", 20)
    assert offered(reviewer_client, trace, openai(PNG * 3)) == []
    assert reviewer_client.get(address(trace, PNG * 3)).status_code == 404


@pytest.mark.parametrize("text", ["[" * 5_000, '"' * 400, "data:image/png;base64,AAAA%%%%AAAAAAAA", "", "{}"])
def test_odd_texts_break_nothing(reviewer_client: Client, trace: Trace, text: str) -> None:
    SpanFactory.create(trace=trace, span_id=UUID(int=1), input=text, output="x")
    assert reviewer_client.get(address(trace, PNG)).status_code == 404


def test_another_projects_image_is_not_there(reviewer_client: Client, other_project: Project) -> None:
    trace = TraceFactory.create(project=other_project)
    SpanFactory.create(trace=trace, span_id=UUID(int=1), input=data(PNG))
    own = address(trace, PNG)
    assert reviewer_client.get(own).status_code == 404
    assert reviewer_client.get(own.replace("/support/", f"/{other_project.slug}/")).status_code == 404
