"""What the trace page and the workbench show of a trace: one preparation for both."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from reviewapp.lib import canonical_json, sql
from reviewapp.traces.metadata import pairs
from reviewapp.traces.models import PreparedTranscript, Span, Trace
from reviewapp.traces.reader import jump, prepared, query, raw, search, steps
from reviewapp.traces.reader.jump import Jump, Places
from reviewapp.traces.reader.metadata_entries import EntryPage, MetadataEntry, paginate_entries
from reviewapp.traces.reader.query import ReaderQuery
from reviewapp.traces.reader.search import SearchResult
from reviewapp.traces.reader.steps import Course, Steps
from reviewapp.traces.transcript import transcript
from reviewapp.traces.transcript.transcript import Transcript

# On every page of the workbench; see reviewapp.lib.sql for why it is written out.
_SPANS = """
    SELECT id, span_id, parent_span_id, name, span_type, status, start_time, end_time, input, output, model,
        total_tokens, total_cost, event_texts
    FROM reviewapp_span WHERE trace_id = %s ORDER BY start_time, id
"""
_LAST_SPANS = _SPANS.rstrip().replace("start_time, id", "start_time DESC, id DESC") + " LIMIT %s"
# A transcript of more spans than twice this is made of the first and the last so many.
END = 1_000


@dataclass
class TraceReader:
    """A trace opened as somebody wishes; each part is made only when the page asks for it.

    `url` answers further wishes, each with the reading or a piece of it.
    """

    trace: Trace
    query: ReaderQuery
    url: str
    # Metadata keys that are not told at the head: what others said of the trace, where one is to judge it anew.
    hides: Collection[str] = ()

    @property
    def tab(self) -> str:
        return self.query.tab

    @cached_property
    def spans(self) -> list[Span]:
        if not self.trace.has_spans:
            return []
        if not self.is_shortened:
            return sql.fetch_objects(Span, _SPANS, self.trace.pk)
        last = sql.fetch_objects(Span, _LAST_SPANS, self.trace.pk, END)
        return sql.fetch_objects(Span, _SPANS.rstrip() + " LIMIT %s", self.trace.pk, END) + last[::-1]

    @property
    def is_shortened(self) -> bool:
        """Whether the transcript leaves out the spans in the middle."""
        return self.trace.span_count > 2 * END

    @cached_property
    def transcript(self) -> Transcript:
        return transcript.build(self.spans)

    @cached_property
    def prepared(self) -> PreparedTranscript | None:
        """The transcript's page, where it was prepared and nothing particular is wished."""
        return prepared.get(self.trace) if self.trace.has_spans and self.query == query.OPENING else None

    @property
    def answer(self) -> str:
        """The text of the final answer; empty without one."""
        if self.prepared is not None:
            return self.prepared.answer
        return "" if self.transcript.answer is None else self.transcript.answer.text

    @property
    def is_partial(self) -> bool:
        return self.prepared.is_partial if self.prepared else self.transcript.is_partial

    @property
    def is_empty(self) -> bool:
        return self.prepared.is_empty if self.prepared else not self.transcript.turns

    @cached_property
    def search_result(self) -> SearchResult | None:
        """What the whole trace holds of the text that is searched for."""
        if not self.query.search_text or not self.trace.has_spans:
            return None
        if self.tab == "transcript":
            return search.find(self.transcript, self.query.search_text)
        if self.tab == "metadata":
            return search.find_values([(entry.key, entry.value) for entry in self.entries], self.query.search_text)
        return search.find_steps(self.trace, self.query.search_text)

    @cached_property
    def course(self) -> Course | None:
        return steps.load_outline(self.trace)

    @cached_property
    def steps(self) -> Steps:
        start = self.query.start or 0
        return steps.load_page(
            self.course, start if self.target is None else self.places.at[self.target] // steps.PAGE * steps.PAGE
        )

    @cached_property
    def span(self) -> Span | None:
        """The span wished to be seen raw."""
        if self.query.span_id is None:
            return None
        return Span.objects.filter(trace=self.trace, span_id=self.query.span_id).first()

    @cached_property
    def node(self) -> Any:
        """The wished node of that span; None when there is none."""
        return None if self.span is None else raw.reach(self.span, self.query.node_path)

    @cached_property
    def places(self) -> Places:
        """What one jumps to on this tab."""
        found = self.search_result.targets if self.search_result else []
        if self.tab == "transcript":
            return jump.in_transcript(self.transcript, found)
        if self.tab == "metadata" or self.course is None:
            return Places()
        return jump.in_steps(self.course, found, is_raw=self.tab == "raw")

    @cached_property
    def target(self) -> int | None:
        """The turn or step that the wished jump leads to."""
        return self.places.after(self.query.jump, self.query.after) if self.query.jump else None

    @property
    def target_label(self) -> str:
        """What is said of the wished jump."""
        if self.target is None:
            return f"There is no {jump.WORDS[self.query.jump].lower()} here." if self.query.jump else ""
        return self.places.words(self.query.jump, self.target)

    @property
    def target_element_id(self) -> str:
        """The id of the element that the wished jump leads to."""
        return "" if self.target is None else f"{'turn' if self.tab == 'transcript' else 'step'}-{self.target}"

    @property
    def turn(self) -> int | None:
        """The number of the turn that is to be seen."""
        return self.target or self.query.turn

    @property
    def jumps(self) -> list[Jump]:
        """The ways to the next of each kind that the tab holds."""
        if self.prepared is not None:
            return [Jump(*each) for each in json.loads(self.prepared.jumps)]
        here = self.target or self.query.after or self.query.turn
        found = {kind: self.places.after(kind, here) for kind in jump.WORDS}
        return [
            Jump(kind, jump.WORDS[kind], len(self.places.kinds[kind]), self._address(place))
            for kind, place in found.items()
            if place is not None
        ]

    def _address(self, place: int) -> str:
        """The address of a turn or a step's row, what is searched for kept."""
        find = {"find": self.query.search_text} if self.query.search_text else {}
        if self.tab == "transcript":
            return f"?{urlencode({'turn': place, **find})}#turn-{place}"
        start = self.places.at[place] // steps.PAGE * steps.PAGE
        return f"?{urlencode({'tab': self.tab, 'from': start, 'after': place, **find})}#step-{place}"

    @cached_property
    def entries(self) -> list[MetadataEntry]:
        ours = canonical_json.raw_members(self.trace.unconfirmed)
        members = canonical_json.raw_members(self.trace.metadata)
        return [MetadataEntry(key, pairs.display_value(raw), key in ours) for key, raw in sorted(members.items())]

    @cached_property
    def entry_page(self) -> EntryPage:
        return paginate_entries(self.entries, self.query)

    @cached_property
    def chips(self) -> list[MetadataEntry]:
        """The short, flat values that say something: what one filters by."""
        told = [entry for entry in self.entries if entry.key not in self.hides and entry.value != "null"]
        return [entry for entry in told if len(entry.value) <= 40 and entry.value[:1] not in ("{", "[")][:12]

    @property
    def tabs(self) -> list[tuple[str, int | None]]:
        """Each tab's name with the count beside it."""
        counts = {"steps": self.trace.span_count, "metadata": len(self.entries)}
        return [(tab, counts.get(tab)) for tab in query.TABS]


def open_reader(trace: Trace, params: Mapping[str, str], url: str, hides: Collection[str] = ()) -> TraceReader:
    return TraceReader(trace, query.parse_query(params), url, hides)


def pretty(raw: str) -> str:
    """A stored JSON text on several lines where it is an object or a list."""
    if raw[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(raw), ensure_ascii=False, indent=2).encode("utf-8", "replace").decode()
        except (ValueError, RecursionError):
            return raw
    return raw
