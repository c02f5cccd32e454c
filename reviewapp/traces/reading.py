"""What the trace page and the workbench show of a trace: one preparation for both."""

import json
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from reviewapp.lib import canonical_json, sql
from reviewapp.traces import metadata, transcript
from reviewapp.traces.models import Span, Trace
from reviewapp.traces.transcript import Step, Transcript

# On every page of the workbench; see reviewapp.lib.sql for why it is written out.
_SPANS = """
    SELECT id, span_id, parent_span_id, name, span_type, status, start_time, end_time, input, output, model,
        total_tokens, total_cost, event_texts
    FROM reviewapp_span WHERE trace_id = %s ORDER BY start_time, id
"""
TABS = ("transcript", "steps", "metadata")


@dataclass(frozen=True, slots=True)
class Entry:
    """One metadata key of a trace, its value as a filter writes it, and whether it is ours and not yet confirmed."""

    key: str
    value: str
    is_ours: bool

    @property
    def query(self) -> str:
        """The query string of the view of all traces that hold this value."""
        return urlencode({"m": f"{self.key}={self.value}"})


@dataclass
class Reading:
    """A trace opened on one tab; each part is made only when the page asks for it."""

    trace: Trace
    tab: str

    @cached_property
    def spans(self) -> list[Span]:
        return sql.objects(Span, _SPANS, self.trace.pk) if self.trace.is_here else []

    @cached_property
    def transcript(self) -> Transcript:
        return transcript.build(self.spans)

    @cached_property
    def steps(self) -> list[Step]:
        return transcript.steps(self.spans)

    @cached_property
    def entries(self) -> list[Entry]:
        ours = canonical_json.raw_members(self.trace.unconfirmed)
        members = canonical_json.raw_members(self.trace.metadata)
        return [Entry(key, metadata.shown(raw), key in ours) for key, raw in sorted(members.items())]

    @cached_property
    def chips(self) -> list[Entry]:
        """The short, flat values: what one filters by."""
        return [entry for entry in self.entries if len(entry.value) <= 40 and entry.value[:1] not in ("{", "[")][:12]

    @property
    def tabs(self) -> list[tuple[str, int | None]]:
        """Each tab's name with the count beside it."""
        return [("transcript", None), ("steps", self.trace.span_count), ("metadata", len(self.entries))]


def reading_of(trace: Trace, tab: str | None) -> Reading:
    return Reading(trace, tab if tab in TABS else TABS[0])


def pretty(raw: str) -> str:
    """A stored JSON text on several lines where it is an object or a list."""
    if raw[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(raw), ensure_ascii=False, indent=2).encode("utf-8", "replace").decode()
        except (ValueError, RecursionError):
            return raw
    return raw
