"""The transcript is rendered when spans are pulled, and equals the one rendered when the trace is opened."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from markdown_it import MarkdownIt

from reviewapp.accounts.models import Project
from reviewapp.laminar import SpanRow
from reviewapp.lib import clock
from reviewapp.traces.models import PreparedTranscript, Span, Trace, UnreadablePart
from reviewapp.traces.reader import prepared
from reviewapp.traces.reader.jump import Jump
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader
from reviewapp.traces.reader.transcript_html import render_transcript
from reviewapp.traces.sync import storing, transcripts
from tests.traces.rows import span_row, store_pulled_spans, trace_row
from tests.traces.spans import FakeSpan, refund_spans

pytestmark = pytest.mark.django_db
URL = "/p/support/items/7/reading/"
MARKDOWN = "**Bold**, [a link](https://example.com), `code`\n\n```python\nprint(1.0)\n```\n\n|a|b|\n|-|-|\n|1|2|"
NEWER = "999/0.3.8/4.3.0/2.21.0/0.1.2"


def pull_trace(project: Project, *outputs: str) -> Trace:
    """Store a pulled trace with one model call for each of these outputs."""
    row = trace_row()
    (trace,) = storing.store_traces(project, [row])
    store_pulled_spans(
        trace, [span_row(number, output=text, span_type="LLM", input="Where?") for number, text in enumerate(outputs)]
    )
    trace.refresh_from_db()
    return trace


def open_trace(trace: Trace) -> TraceReader:
    return open_reader(trace, {}, URL)


def open_unprepared(trace: Trace) -> TraceReader:
    """Open a trace without a prepared transcript."""
    PreparedTranscript.objects.all().delete()
    return open_trace(trace)


def reader_content(reader: TraceReader) -> tuple[str, list[Jump], str, bool, bool]:
    return render_transcript(reader), reader.jumps, reader.answer, reader.is_partial, reader.is_empty


def make_outdated() -> list[Trace]:
    """Give all stored transcripts an older version; returns the outdated traces."""
    PreparedTranscript.objects.update(version="older")
    return prepared.select_outdated(10)


def to_span_row(span: FakeSpan) -> SpanRow:
    """Convert a span to a row of Laminar's SQL API."""
    return span_row(
        span.span_id.int, parent_span_id=str(span.parent_span_id or UUID(int=0)), name=span.name,
        span_type=span.span_type, input=span.input, output=span.output,
    )  # fmt: skip


def test_it_shows_the_same_as_an_unprepared_transcript(project: Project) -> None:
    trace = pull_trace(project, "One moment.", "long " * 3_000, "It is Paris.")
    prepared_reader = open_trace(trace)
    assert prepared_reader.prepared is not None
    content = reader_content(prepared_reader)
    assert content == reader_content(open_unprepared(trace))
    assert URL in content[0]
    assert content[2] == "It is Paris."


def test_it_opens_without_reading_spans(project: Project) -> None:
    trace = pull_trace(project, "It is Paris.")
    Span.objects.all().delete()
    assert "It is Paris." in render_transcript(open_trace(trace))


def test_it_renders_again_when_spans_change(project: Project) -> None:
    trace = pull_trace(project, "One moment.")
    store_pulled_spans(trace, [span_row(1, output="It is Paris.", span_type="LLM")])
    assert "It is Paris." in render_transcript(open_trace(trace))


def test_it_reads_the_spans_for_a_search(project: Project) -> None:
    reader = open_reader(pull_trace(project, "It is Paris."), {"find": "paris"}, URL)
    assert reader.prepared is None
    assert reader.search_result is not None
    assert reader.search_result.match_count == 1


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Install the metadata of another version of a library."""

    def install(name: str, version: str) -> None:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        monkeypatch.syspath_prepend(tmp_path)
        prepared.version.cache_clear()

    yield install
    prepared.version.cache_clear()


def test_it_renders_again_when_a_library_was_upgraded(project: Project, upgrade: Callable[[str, str], None]) -> None:
    trace = pull_trace(project, "It is Paris.")
    PreparedTranscript.objects.update(html="old sanitiser")
    upgrade("nh3", "999.0")
    assert "It is Paris." in render_transcript(open_trace(trace))
    assert transcripts.rebuild_outdated(10) == 1
    assert transcripts.rebuild_outdated(10) == 0
    row = PreparedTranscript.objects.get()
    assert (row.version, "It is Paris." in row.html) == (prepared.version(), True)


@pytest.mark.parametrize("version", ["", "0/0.3.8/4.3.0/2.21.0/0.1.2", "d41d8cd98f00b204e9800998ecf8427e"])
def test_it_renders_again_when_an_older_version_rendered(project: Project, version: str) -> None:
    trace = pull_trace(project, "It is Paris.")
    PreparedTranscript.objects.update(version=version, html="stale")
    assert "It is Paris." in render_transcript(open_trace(trace))
    assert transcripts.rebuild_outdated(10) == 1
    assert PreparedTranscript.objects.get().version == prepared.version()


def test_it_does_not_overwrite_what_a_newer_version_rendered(project: Project) -> None:
    trace = pull_trace(project, "It is Paris.")
    PreparedTranscript.objects.update(version=NEWER, html="newer")
    assert "It is Paris." in render_transcript(open_trace(trace))
    assert transcripts.rebuild_outdated(10) == 0
    assert PreparedTranscript.objects.get().html == "newer"


def test_it_marks_a_newer_versions_row_as_stale_when_spans_change(project: Project) -> None:
    trace = pull_trace(project, "One moment.")
    PreparedTranscript.objects.update(version=NEWER, html="newer")
    store_pulled_spans(trace, [span_row(1, output="It is Paris.", span_type="LLM")])
    assert PreparedTranscript.objects.get().version == prepared.STALE
    assert "It is Paris." in render_transcript(open_trace(trace))


def test_it_does_not_overwrite_the_transcript_of_newer_spans(project: Project) -> None:
    trace = pull_trace(project, "One moment.")
    (outdated,) = make_outdated()
    store_pulled_spans(trace, [span_row(1, output="It is Paris.", span_type="LLM")])
    assert not transcripts.render_again(outdated)
    assert "It is Paris." in PreparedTranscript.objects.get().html


def test_it_renders_the_same_html_for_the_same_format(project: Project) -> None:
    """If this fails, increase `FORMAT` in prepared.py, then update the number and the digest here."""
    (trace,) = storing.store_traces(project, [trace_row(UUID(int=7))])
    store_pulled_spans(
        trace, [*(to_span_row(span) for span in refund_spans()), span_row(5, span_type="LLM", output=MARKDOWN)]
    )
    row = PreparedTranscript.objects.get()
    content = row.html.replace(row.url_placeholder, "URL") + row.jumps + row.answer
    assert (prepared.FORMAT, sha256(content.encode()).hexdigest()[:16]) == (5, "37e6b1d4ce2a9a19")


def test_it_has_a_version_that_fits_its_column() -> None:
    max_length = PreparedTranscript._meta.get_field("version").max_length
    assert max_length is not None
    assert len(prepared.version()) <= max_length


def test_it_stores_text_with_characters_that_databases_refuse(project: Project) -> None:
    trace = pull_trace(project, json.dumps([{"role": "assistant", "content": "a\x00b \ud800 c"}]))
    assert "b" in render_transcript(open_trace(trace))


def test_it_is_shown_on_the_trace_page(project: Project, reviewer_client: Client) -> None:
    trace = pull_trace(project, "It is Paris.")
    page = reviewer_client.get(f"/p/support/traces/{trace.trace_id}/").content.decode()
    assert "It is Paris." in page
    assert PreparedTranscript.objects.get().url_placeholder not in page


@pytest.fixture
def bad_library(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A Markdown library that fails for texts about Rome, until it is called."""
    render = MarkdownIt.render

    def fail(parser: MarkdownIt, text: str, *args: Any) -> str:
        if "Rome" in text:
            raise RecursionError
        return render(parser, text, *args)

    monkeypatch.setattr(MarkdownIt, "render", fail)
    return lambda: monkeypatch.setattr(MarkdownIt, "render", render)


def test_it_renders_the_others_when_a_transcript_cannot_be_rendered(
    project: Project, bad_library: Callable[[], None]
) -> None:
    first, bad, last = (pull_trace(project, f"It is **{city}**.") for city in ("Paris", "Rome", "Bern"))
    PreparedTranscript.objects.create(
        trace=bad, version="older", url_placeholder="x", html="", is_partial=False, is_empty=False
    )
    make_outdated()
    assert transcripts.rebuild_outdated(10) == 2
    assert set(PreparedTranscript.objects.values_list("trace__pk", "version")) == {
        (trace.pk, prepared.version()) for trace in (first, last)
    }
    mark = UnreadablePart.objects.get()
    reason = "rendering it failed with RecursionError, see the worker's log"
    assert (mark.trace, mark.part, mark.reason) == (bad, "transcript", reason)
    # It does not wait at the head of the next round either.
    assert transcripts.rebuild_outdated(10) == 0


def test_it_renders_an_unreadable_transcript_again_when_it_is_due(
    project: Project, bad_library: Callable[[], None]
) -> None:
    pull_trace(project, "It is **Rome**.")
    assert Trace.objects.get().has_spans
    assert transcripts.retry_unreadable(10) == 0
    UnreadablePart.objects.update(retry_at=clock.now())
    assert transcripts.retry_unreadable(10) == 1
    assert UnreadablePart.objects.get().tries == 1
    bad_library()
    UnreadablePart.objects.update(retry_at=clock.now())
    assert transcripts.retry_unreadable(10) == 1
    assert not UnreadablePart.objects.exists()
    assert "Rome" in PreparedTranscript.objects.get().html


@pytest.mark.parametrize("query", ["", "?tab=steps", "?tab=raw", "?turn=1", "?find=Rome"])
def test_it_shows_the_rest_of_a_trace_whose_transcript_cannot_be_rendered(
    project: Project, reviewer_client: Client, bad_library: Callable[[], None], query: str
) -> None:
    trace = pull_trace(project, "It is **Rome**.")
    response = reviewer_client.get(f"/p/support/traces/{trace.trace_id}/{query}")
    assert response.status_code == 200
    assert "The transcript could not be read: rendering it failed with RecursionError" in response.text
    assert ("This transcript could not be rendered." in response.text) == ("tab" not in query)
