"""What the trace page and the workbench show of a trace, prepared once for both."""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q

from reviewapp.lib import sql
from reviewapp.lib.sql import DATABASE_FAILURES
from reviewapp.traces import queries
from reviewapp.traces.metadata import merge, pairs
from reviewapp.traces.models import PreparedTranscript, Span, Trace, UnreadablePart
from reviewapp.traces.reader import jump, prepared, query, raw, search, steps
from reviewapp.traces.reader.jump import Jump, JumpTargets
from reviewapp.traces.reader.mark_buttons import MarkButtons
from reviewapp.traces.reader.metadata_entries import EntryPage, MetadataEntry, paginate_entries
from reviewapp.traces.reader.query import ReaderQuery
from reviewapp.traces.reader.search import SearchResult
from reviewapp.traces.reader.steps import Outline, StepPage
from reviewapp.traces.transcript import span_tree, tools_offered, transcript
from reviewapp.traces.transcript.transcript import Transcript

log = logging.getLogger(__name__)

# The fields that a transcript is built from.
_SPAN_FIELDS = (
    "span_id", "parent_span_id", "name", "span_type", "status", "start_time", "end_time", "input", "output", "model",
    "total_tokens", "total_cost", "event_texts",
)  # fmt: skip
# A trace of more than twice this many spans has a transcript of its first and last spans only, this many of each.
END_SPANS = 1_000
_NAMES_TOOLS = reduce(or_, (Q(attributes__contains=f'"{name}') for name in tools_offered.ATTRIBUTES))
# Model spans of which the offered tools are read.
TOOL_SPANS = 20


@dataclass
class TraceReader:
    """A trace opened with a query; each part is computed only when the page uses it.

    `url` answers further queries, each with the whole reader or a fragment of it.
    """

    trace: Trace
    query: ReaderQuery
    url: str
    # Metadata keys not shown in the header: other people's verdicts on a trace that is to be judged independently.
    hidden_keys: Collection[str] = ()
    mark_buttons: MarkButtons = field(default_factory=MarkButtons)

    @property
    def tab(self) -> str:
        return self.query.tab

    @cached_property
    def spans(self) -> list[Span]:
        if not self.trace.has_spans:
            return []
        spans = Span.objects.filter(trace=self.trace).only(*_SPAN_FIELDS).annotate(names_tools=_NAMES_TOOLS)
        spans = spans.order_by("start_time", "pk")
        return [*spans[:END_SPANS], *reversed(spans.reverse()[:END_SPANS])] if self.is_shortened else list(spans)

    @property
    def is_shortened(self) -> bool:
        """Whether the transcript omits the spans in the middle."""
        return self.trace.span_count > 2 * END_SPANS

    @cached_property
    def unreadable_parts(self) -> list[UnreadablePart]:
        """The parts that could not be read, with the reasons."""
        if self.trace._state.adding or self.trace.has_unreadable_parts is False:
            return []
        return sql.fetch_objects(UnreadablePart, queries.UNREADABLE_PARTS, self.trace.pk)

    @cached_property
    def transcript(self) -> Transcript:
        """The transcript; an empty one if it cannot be built: the other tabs still show the trace."""
        try:
            return transcript.build(self.spans)
        except DATABASE_FAILURES:
            raise
        except Exception:
            log.exception("Could not build the transcript of trace %s", self.trace.trace_id)
            return transcript.build([])

    @cached_property
    def prepared(self) -> PreparedTranscript | None:
        """The prepared transcript, if there is one and the query is the default."""
        return prepared.get(self.trace) if self.trace.has_spans and self.query == query.DEFAULT_QUERY else None

    @property
    def answer(self) -> str:
        """The text of the final answer; empty if there is none."""
        if self.prepared is not None:
            return self.prepared.answer
        return "" if self.transcript.answer is None else self.transcript.answer.result_text

    @property
    def is_partial(self) -> bool:
        return self.prepared.is_partial if self.prepared else self.transcript.is_partial

    @property
    def is_empty(self) -> bool:
        return self.prepared.is_empty if self.prepared else not self.transcript.turns

    @cached_property
    def search_result(self) -> SearchResult | None:
        """The matches of the search text in the whole trace; None without a search, or with a refused one."""
        if not self.query.search_text or self.query.search_error or not self.trace.has_spans:
            return None
        if self.tab == "transcript":
            return search.find_turns(self.transcript, self.query.search_text)
        if self.tab == "metadata":
            return search.find_values([(entry.key, entry.value) for entry in self.entries], self.query.search_text)
        return search.find_steps(self.trace, self.query.search_text)

    @property
    def has_tools(self) -> bool:
        """Whether a model span says which tools the model was offered."""
        models = [span for span in self.spans if span.span_type in span_tree.MODEL_TYPES]
        return any(span.names_tools or tools_offered.is_named_in(span.input) for span in models)  # type: ignore[attr-defined]

    @property
    def tool_texts(self) -> list[tuple[str, str]]:
        """The attributes and inputs of the first model spans that name the tools they were offered."""
        spans = Span.objects.filter(trace=self.trace, span_type__in=span_tree.MODEL_TYPES)
        named = Q(input__startswith="{", input__contains='"tools"') | _NAMES_TOOLS
        return list(spans.filter(named).order_by("pk").values_list("attributes", "input")[:TOOL_SPANS])

    @cached_property
    def outline(self) -> Outline | None:
        return steps.load_outline(self.trace)

    @cached_property
    def step_page(self) -> StepPage:
        target = self.target
        if target is None and self.query.start is None and self.span is not None:
            target = self.span.pk
        start = self.query.start or 0
        return steps.load_page(self.outline, start if target is None else self._page_start(target))

    @cached_property
    def span(self) -> Span | None:
        """The span selected on the Steps or Raw tab."""
        if self.query.span_id is None:
            return None
        return Span.objects.filter(trace=self.trace, span_id=self.query.span_id).first()

    @cached_property
    def node(self) -> Any:
        """The selected node of that span; None if there is none."""
        return None if self.span is None else raw.find_node(self.span, self.query.node_path)

    @cached_property
    def jump_targets(self) -> JumpTargets:
        """The jump targets on this tab."""
        matches = self.search_result.targets if self.search_result else []
        if self.tab == "transcript":
            return jump.find_transcript_targets(self.transcript, matches)
        if self.tab == "metadata" or self.outline is None:
            return JumpTargets()
        return jump.find_step_targets(self.outline, matches, is_raw=self.tab == "raw")

    @cached_property
    def target(self) -> int | None:
        """The turn or step that the requested jump goes to."""
        return self.jump_targets.find_next(self.query.jump, self.query.after) if self.query.jump else None

    @property
    def target_label(self) -> str:
        """The status text of the requested jump."""
        if self.target is None:
            return f"There is no {jump.LABELS[self.query.jump].lower()} on this tab." if self.query.jump else ""
        return self.jump_targets.describe(self.query.jump, self.target)

    @property
    def target_element_id(self) -> str:
        """The id of the element that the requested jump goes to."""
        return "" if self.target is None else f"{'turn' if self.tab == 'transcript' else 'step'}-{self.target}"

    @property
    def turn(self) -> int | None:
        """The number of the selected turn."""
        return self.target or self.query.turn

    @property
    def jumps(self) -> list[Jump]:
        """A link to the next target of each kind that the tab has."""
        if self.prepared is not None:
            return [Jump(*fields) for fields in json.loads(self.prepared.jumps)]
        current = self.target or self.query.after or self.query.turn
        next_targets = {kind: self.jump_targets.find_next(kind, current) for kind in jump.LABELS}
        return [
            Jump(kind, jump.LABELS[kind], len(self.jump_targets.by_kind[kind]), self._target_url(target))
            for kind, target in next_targets.items()
            if target is not None
        ]

    def _target_url(self, target: int) -> str:
        """Return the URL of a turn or a step's row, with the current search."""
        find = {"find": self.query.search_text} if self.search_result else {}
        if self.tab == "transcript":
            return f"?{urlencode({'turn': target, **find})}#turn-{target}"
        start = self._page_start(target)
        return f"?{urlencode({'tab': self.tab, 'from': start, 'after': target, **find})}#step-{target}"

    def _page_start(self, target: int) -> int:
        """Return the position of the first step on the page with a step."""
        return self.jump_targets.positions.get(target, 0) // steps.PAGE_SIZE * steps.PAGE_SIZE

    @cached_property
    def entries(self) -> list[MetadataEntry]:
        unconfirmed = merge.parse_members(self.trace.unconfirmed)
        members = merge.parse_members(self.trace.metadata)
        return [
            MetadataEntry(key, pairs.display_value(value), key in unconfirmed) for key, value in sorted(members.items())
        ]

    @cached_property
    def entry_page(self) -> EntryPage:
        return paginate_entries(self.entries, self.query)

    @cached_property
    def chips(self) -> list[MetadataEntry]:
        """The first short, flat, non-null values, useful as filters."""
        entries = [entry for entry in self.entries if entry.key not in self.hidden_keys and entry.value != "null"]
        return [entry for entry in entries if len(entry.value) <= 40 and entry.value[:1] not in ("{", "[")][:12]

    @property
    def tabs(self) -> list[tuple[str, int | None]]:
        """Each tab's name and its count, if it has one."""
        counts = {"steps": self.trace.span_count, "metadata": len(self.entries)}
        return [(tab, counts.get(tab)) for tab in query.TABS]


def open_reader(trace: Trace, params: Mapping[str, str], url: str, hidden_keys: Collection[str] = ()) -> TraceReader:
    """Open a trace with the query parameters of a request; malformed ones are ignored."""
    return TraceReader(trace, query.parse_query(params), url, hidden_keys)
