"""An image embedded in a trace is shown on demand, and nothing but an image is served."""

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

PNG = b"\x89PNG\r\n\x1a\n" + b"rest of an image"
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0" + b"x" * 20, b"GIF89a" + b"x" * 20, b"RIFF\x08\x00\x00\x00WEBP" + b"x" * 20
HTML, SVG = b"<html><script>alert(1)</script>", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def data_url(content: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def openai_block(content: bytes, mime: str = "image/png") -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": data_url(content, mime)}}


def anthropic_block(content: bytes, mime: str = "image/png") -> dict[str, object]:
    source = {"type": "base64", "media_type": mime, "data": base64.b64encode(content).decode()}
    return {"type": "image", "source": source}


@pytest.fixture
def trace(project: Project) -> Trace:
    trace: Trace = TraceFactory.create(project=project, spans_pulled_at=clock.now(), span_count=1)
    return trace


def get_image_urls(client: Client, trace: Trace, block: object) -> list[str]:
    """Return the URLs of the images in the transcript of a trace with this block."""
    conversation = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, block]}]
    SpanFactory.create(trace=trace, span_id=UUID(int=1), input=json.dumps(conversation))
    page = client.get(f"/p/support/traces/{trace.trace_id}/").text
    assert "data:image" not in page
    return re.findall('<img src="([^"]*)"', page)


def image_url(trace: Trace, content: bytes) -> str:
    """Return the URL that an image would have, even if it is not shown."""
    name = pictures.digest(base64.b64encode(content).decode())
    return f"/p/support/traces/{trace.trace_id}/images/{UUID(int=1)}/{name}"


@pytest.mark.parametrize("block", [openai_block(PNG), anthropic_block(PNG)], ids=["openai", "anthropic"])
def test_it_shows_an_image(reviewer_client: Client, trace: Trace, block: object) -> None:
    (url,) = get_image_urls(reviewer_client, trace, block)
    response = reviewer_client.get(url)
    assert (response.status_code, response.content, response["Content-Type"]) == (200, PNG, "image/png")
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")],
    ids=["jpeg", "gif", "webp"],
)
def test_it_detects_the_type_from_the_bytes(
    reviewer_client: Client, trace: Trace, content: bytes, content_type: str
) -> None:
    (url,) = get_image_urls(reviewer_client, trace, openai_block(content))
    assert reviewer_client.get(url)["Content-Type"] == content_type


@pytest.mark.parametrize(
    "block", [openai_block(SVG, "image/svg+xml"), openai_block(HTML, "text/html"), {"type": "image_url", "image_url": "https://x.test/a.png"}],
    ids=["svg", "html", "remote"],
)  # fmt: skip
def test_it_refuses_to_show_other_media(reviewer_client: Client, trace: Trace, block: object) -> None:
    assert get_image_urls(reviewer_client, trace, block) == []


@pytest.mark.parametrize("content", [SVG, HTML, b"x" * 30, b"RIFF\x08\x00\x00\x00WAVE" + b"x" * 20], ids=repr)
def test_it_refuses_bytes_that_are_not_an_image(reviewer_client: Client, trace: Trace, content: bytes) -> None:
    get_image_urls(reviewer_client, trace, openai_block(content))
    response = reviewer_client.get(image_url(trace, content))
    assert response.status_code == 404
    assert content not in response.content


def test_it_refuses_an_image_that_is_too_large(
    reviewer_client: Client, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "SIZE_LIMIT", 20)
    assert get_image_urls(reviewer_client, trace, openai_block(PNG * 3)) == []
    assert reviewer_client.get(image_url(trace, PNG * 3)).status_code == 404


@pytest.mark.parametrize("text", ["[" * 5_000, '"' * 400, "data:image/png;base64,AAAA%%%%AAAAAAAA", "", "{}"])
def test_it_works_when_a_text_is_malformed(reviewer_client: Client, trace: Trace, text: str) -> None:
    SpanFactory.create(trace=trace, span_id=UUID(int=1), input=text, output="x")
    assert reviewer_client.get(image_url(trace, PNG)).status_code == 404


def test_it_refuses_an_image_of_another_project(reviewer_client: Client, other_project: Project) -> None:
    trace = TraceFactory.create(project=other_project)
    SpanFactory.create(trace=trace, span_id=UUID(int=1), input=data_url(PNG))
    url = image_url(trace, PNG)
    assert reviewer_client.get(url).status_code == 404
    assert reviewer_client.get(url.replace("/support/", f"/{other_project.slug}/")).status_code == 404


def test_it_finds_an_image_behind_many_other_values(trace: Trace) -> None:
    values = [*range(30_000), data_url(PNG)]
    span = SpanFactory.create(trace=trace, input=json.dumps(values[::-1]))
    picture = pictures.find_picture(span, pictures.digest(base64.b64encode(PNG).decode()))
    assert picture is not None
    assert picture.content == PNG
