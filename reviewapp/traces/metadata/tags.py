"""The tags of traces, with where each was set."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from reviewapp.accounts.models import Project
from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.filter_models import TraceTag
from reviewapp.traces.models import Trace

# A name with the source it comes from.
SourcedTag = tuple[str, str]
# Sources that a row of Laminar's table of traces lists in full; the others only ever grow.
LAMINAR_SOURCES = (TraceTag.Source.ARRIVAL, TraceTag.Source.LAMINAR)
# Tags per trace that a page shows.
MAX_SHOWN = 20


@dataclass(slots=True)
class Tag:
    """A trace's tag with every source that has it."""

    name: str
    sources: set[str] = field(default_factory=set)

    @property
    def description(self) -> str:
        """Who set it, and what Laminar itself can filter by, as sentences."""
        labels = [label for source, label in TraceTag.Source.choices if source in self.sources]
        who = ", ".join(labels)
        return f"{who[:1].upper()}{who[1:]}. {self.laminar_filter}"

    @property
    def is_answer(self) -> bool:
        """Whether only a review set it; delivered, such a tag is found in a span too."""
        return TraceTag.Source.REVIEW in self.sources and not self.sources & set(LAMINAR_SOURCES)

    @property
    def laminar_filter(self) -> str:
        if TraceTag.Source.ARRIVAL in self.sources:
            return "In Laminar, its filter “Span tags” finds it."
        if TraceTag.Source.LAMINAR in self.sources:
            return "In Laminar, its filter “Tags” finds it."
        return "Laminar cannot filter by it: its filters do not look at tags that were added to a span afterwards."


def shorten_name(name: str) -> str:
    """A tag's name as it is stored and found: at most TraceTag.MAX_NAME_LENGTH characters."""
    return shorten(to_storable_text(name), TraceTag.MAX_NAME_LENGTH)


def replace_tags(traces: Sequence[Trace], tags: Mapping[int, Set[SourcedTag]]) -> None:
    """Make `tags`, by the traces' primary keys, all tags that LAMINAR_SOURCES list. The traces' rows must be locked."""
    rows = TraceTag.objects.filter(trace__in=traces, source__in=LAMINAR_SOURCES)
    stored: dict[int, dict[SourcedTag, TraceTag]] = {}
    for row in rows:
        stored.setdefault(row.trace_id, {})[row.name, row.source] = row
    new: list[TraceTag] = []
    outdated: list[int] = []
    for trace in traces:
        existing = stored.get(trace.pk, {})
        current = {key for key, row in existing.items() if row.start_time == trace.start_time}
        outdated += [row.pk for key, row in existing.items() if key not in tags[trace.pk] & current]
        new += _make_rows(trace.project_id, trace.pk, trace.start_time, tags[trace.pk] - current)
    if outdated:
        TraceTag.objects.filter(pk__in=outdated).delete()
    if new:
        TraceTag.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)


def add_tags(trace: Trace, source: TraceTag.Source, names: Iterable[str]) -> None:
    """Add tags of a source to a trace whose row is locked; those it has already stay."""
    tags = {(shorten_name(name), source.value) for name in names if name}
    if tags:
        rows = _make_rows(trace.project_id, trace.pk, trace.start_time, tags)
        TraceTag.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def replace_pushed_tags(trace_pk: int, names: Iterable[str]) -> None:
    """Make these all tags that our own patches add to a trace, whose row must be locked."""
    trace = Trace.objects.only("project", "start_time").get(pk=trace_pk)
    tags = {(shorten_name(name), TraceTag.Source.REVIEW.value) for name in names if name}
    rows = TraceTag.objects.filter(trace=trace.pk, source=TraceTag.Source.REVIEW)
    rows.exclude(name__in=[name for name, _ in tags]).delete()
    new = _make_rows(trace.project_id, trace_pk, trace.start_time, tags)
    TraceTag.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)


def load_laminar_tags(project: Project, trace_ids: Collection[UUID]) -> dict[UUID, set[SourcedTag]]:
    """The stored tags of LAMINAR_SOURCES by trace."""
    rows = TraceTag.objects.filter(
        trace__project=project, trace__trace_id__in=list(trace_ids), source__in=LAMINAR_SOURCES
    )
    tags: dict[UUID, set[SourcedTag]] = {}
    for trace_id, name, source in rows.values_list("trace__trace_id", "name", "source"):
        tags.setdefault(trace_id, set()).add((name, source))
    return tags


def load_tags(traces: Iterable[Trace]) -> dict[int, list[Tag]]:
    """The tags of these traces by primary key, by name. One query."""
    pks = [trace.pk for trace in traces]
    by_trace: dict[int, dict[str, Tag]] = {}
    for pk, name, source in (
        TraceTag.objects.filter(trace__in=pks).order_by("name").values_list("trace_id", "name", "source")
    ):
        by_trace.setdefault(pk, {}).setdefault(name, Tag(name)).sources.add(source)
    return {pk: list(tags.values()) for pk, tags in by_trace.items()}


def _make_rows(project_id: int, trace_pk: int, start_time: Any, tags: Iterable[SourcedTag]) -> list[TraceTag]:
    # Fixed order, so that concurrent writers cannot deadlock.
    return [
        TraceTag(project_id=project_id, trace_id=trace_pk, name=name, source=source, start_time=start_time)
        for name, source in sorted(tags)
    ]
