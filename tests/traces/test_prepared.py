"""The transcript's page is made when the spans come, and is the one that would be made at opening."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.laminar import SpanRow
from reviewapp.traces.models import PreparedTranscript, Span, Trace
from reviewapp.traces.reader import prepared
from reviewapp.traces.reader.trace_reader import TraceReader, open_reader
from reviewapp.traces.reader.transcript_html import render_transcript
from reviewapp.traces.sync import pull
from tests.traces.rows import span_row, store_pulled_spans, trace_row
from tests.traces.spans import FakeSpan, refund_spans

pytestmark = pytest.mark.django_db
URL = "/p/support/items/7/reading/"
MARKDOWN = "**Bold**, [a link](https://example.com), `code`\n\n```python\nprint(1.0)\n```\n\n|a|b|\n|-|-|\n|1|2|"
NEWER = "999/0.3.8/4.3.0/2.21.0/0.1.2"


def pulled(project: Project, *said: str) -> Trace:
    """A trace as a pull leaves it: a model call for each of these texts."""
    row = trace_row()
    (trace,) = pull.store_traces(project, [row])
    store_pulled_spans(
        trace, [span_row(number, output=text, span_type="LLM", input="Where?") for number, text in enumerate(said)]
    )
    trace.refresh_from_db()
    return trace


def opened(trace: Trace) -> TraceReader:
    return open_reader(trace, {}, URL)


def at_opening(trace: Trace) -> TraceReader:
    """The reading of a trace for which nothing was prepared."""
    PreparedTranscript.objects.all().delete()
    return opened(trace)


def older_rows(trace: Trace) -> list[Trace]:
    PreparedTranscript.objects.update(version="older")
    return prepared.select_outdated(10)


def stored_row(span: FakeSpan) -> SpanRow:
    """A span as Laminar's SQL answers it."""
    return span_row(
        span.span_id.int, parent_span_id=str(span.parent_span_id or UUID(int=0)), name=span.name,
        span_type=span.span_type, input=span.input, output=span.output,
    )  # fmt: skip


def test_it_shows_what_would_be_made_at_opening(project: Project) -> None:
    trace = pulled(project, "One moment.", "long " * 3_000, "It is Paris.")
    ready = opened(trace)
    assert ready.prepared is not None
    shown = (render_transcript(ready), ready.jumps, ready.answer, ready.is_partial, ready.is_empty)
    fresh = at_opening(trace)
    assert shown == (render_transcript(fresh), fresh.jumps, fresh.answer, fresh.is_partial, fresh.is_empty)
    assert URL in shown[0]
    assert shown[2] == "It is Paris."


def test_it_reads_no_span_to_open(project: Project) -> None:
    trace = pulled(project, "It is Paris.")
    Span.objects.all().delete()
    assert "It is Paris." in render_transcript(opened(trace))


def test_it_follows_the_spans(project: Project) -> None:
    trace = pulled(project, "One moment.")
    store_pulled_spans(trace, [span_row(1, output="It is Paris.", span_type="LLM")])
    assert "It is Paris." in render_transcript(opened(trace))


def test_a_search_reads_the_spans(project: Project) -> None:
    reading = open_reader(pulled(project, "It is Paris."), {"find": "paris"}, URL)
    assert reading.prepared is None
    assert reading.search_result is not None
    assert reading.search_result.match_count == 1


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Installs another version of a library, as far as its metadata tell."""

    def install(name: str, version: str) -> None:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        monkeypatch.syspath_prepend(tmp_path)
        prepared.version.cache_clear()

    yield install
    prepared.version.cache_clear()


def test_it_renders_again_after_a_library_was_upgraded(project: Project, upgrade: Callable[[str, str], None]) -> None:
    trace = pulled(project, "It is Paris.")
    PreparedTranscript.objects.update(html="by the old sanitiser")
    upgrade("nh3", "999.0")
    assert "It is Paris." in render_transcript(opened(trace))
    assert pull.rebuild_outdated(10) == 1
    assert pull.rebuild_outdated(10) == 0
    row = PreparedTranscript.objects.get()
    assert (row.version, "It is Paris." in row.html) == (prepared.version(), True)


@pytest.mark.parametrize("older", ["", "0/0.3.8/4.3.0/2.21.0/0.1.2", "d41d8cd98f00b204e9800998ecf8427e"])
def test_it_renders_again_what_an_older_version_rendered(project: Project, older: str) -> None:
    trace = pulled(project, "It is Paris.")
    PreparedTranscript.objects.update(version=older, html="stale")
    assert "It is Paris." in render_transcript(opened(trace))
    assert pull.rebuild_outdated(10) == 1
    assert PreparedTranscript.objects.get().version == prepared.version()


def test_it_leaves_what_a_newer_version_rendered(project: Project) -> None:
    trace = pulled(project, "It is Paris.")
    PreparedTranscript.objects.update(version=NEWER, html="newer")
    assert "It is Paris." in render_transcript(opened(trace))
    assert pull.rebuild_outdated(10) == 0
    assert PreparedTranscript.objects.get().html == "newer"


def test_new_spans_mark_what_a_newer_version_rendered_as_stale(project: Project) -> None:
    trace = pulled(project, "One moment.")
    PreparedTranscript.objects.update(version=NEWER, html="newer")
    store_pulled_spans(trace, [span_row(1, output="It is Paris.", span_type="LLM")])
    assert PreparedTranscript.objects.get().version == prepared.STALE
    assert "It is Paris." in render_transcript(opened(trace))


def test_it_renders_nothing_over_spans_that_came_meanwhile(project: Project) -> None:
    trace = pulled(project, "One moment.")
    (outdated,) = older_rows(trace)
    store_pulled_spans(trace, [span_row(1, output="It is Paris.", span_type="LLM")])
    assert not pull.render_again(outdated)
    assert "It is Paris." in PreparedTranscript.objects.get().html


def test_the_format_is_raised_when_the_same_spans_render_otherwise(project: Project) -> None:
    """Should this fail: increase `FORMAT` in prepared.py, then note it here with the digest that the failure shows."""
    (trace,) = pull.store_traces(project, [trace_row(UUID(int=7))])
    store_pulled_spans(
        trace, [*(stored_row(span) for span in refund_spans()), span_row(5, span_type="LLM", output=MARKDOWN)]
    )
    row = PreparedTranscript.objects.get()
    content = row.html.replace(row.url_placeholder, "URL") + row.jumps + row.answer
    assert (prepared.FORMAT, sha256(content.encode()).hexdigest()[:16]) == (1, "3af1780e6feab79b")


def test_a_version_fits_its_column() -> None:
    longest = PreparedTranscript._meta.get_field("version").max_length
    assert longest is not None
    assert len(prepared.version()) <= longest


def test_it_keeps_a_page_of_text_that_no_database_takes(project: Project) -> None:
    trace = pulled(project, json.dumps([{"role": "assistant", "content": "a\x00b \ud800 c"}]))
    assert "b" in render_transcript(opened(trace))


def test_it_is_what_a_reader_of_the_trace_gets(project: Project, reviewer_client: Client) -> None:
    trace = pulled(project, "It is Paris.")
    page = reviewer_client.get(f"/p/support/traces/{trace.trace_id}/").content.decode()
    assert "It is Paris." in page
    assert PreparedTranscript.objects.get().url_placeholder not in page
