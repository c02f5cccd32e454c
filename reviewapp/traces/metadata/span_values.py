"""The metadata values that a trace's own spans carry. What no span carries was pushed afterwards.

Laminar keeps the metadata that an application sets in the attributes of its spans, so who set a value is a fact as
soon as the spans are here, and unknown until then.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

from django.db.models import Q

from reviewapp.lib import canonical_json, exact_json
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.traces.models import MetadataChange, Span, SpanMetadata, Trace

# As an SDK of Laminar and the Vercel AI SDK spell them; in one span, the later prefix wins.
PREFIXES = ("lmnr.association.properties.metadata.", "ai.telemetry.metadata.")
# Values of one key that are stored, those of the latest spans: a key with more is not known exactly.
MAX_VALUES = 20

Author = MetadataChange.Author


class SpanValue(NamedTuple):
    """A value's JSON text, the span that set it first, and how many spans carry it."""

    raw: str
    span_id: str
    span_name: str
    span_count: int


class SpanValues(NamedTuple):
    """The values of each key, in the order in which spans set them; complete if no span is missing or still to come."""

    by_key: dict[str, list[SpanValue]]
    is_complete: bool

    def find_author(self, key: str, raw: str | None) -> Author:
        """Who set a key to this JSON text, truncated or not: the application, someone else, or unknown."""
        values = self.by_key.get(key, [])
        if raw is not None and _is_composed(raw, [value.raw for value in values]):
            return Author.APPLICATION
        is_known = self.is_complete and len(values) < MAX_VALUES and raw is not None
        is_truncated = bool(values) and raw is not None and is_truncated_container(raw)
        return Author.OTHER if is_known and not is_truncated else Author.UNKNOWN

    @classmethod
    def build(cls, values: str, *, is_complete: bool) -> Self:
        """Build from the text of `dump`."""
        stored: dict[str, list[list[Any]]] = json.loads(values)
        return cls({key: [SpanValue(*value) for value in rows] for key, rows in stored.items()}, is_complete)

    def dump(self) -> str:
        """Returns the values as JSON text."""
        return json.dumps(self.by_key)


NOTHING_KNOWN = SpanValues({}, is_complete=False)


def load(trace: Trace) -> SpanValues:
    """The values of a trace's spans that were stored with them, or read now if an older release stored the spans."""
    if not trace.has_spans:
        return NOTHING_KNOWN
    row = SpanMetadata.objects.filter(trace=trace).first()
    values = SpanValues.build(row.values, is_complete=True) if row else read(trace)
    return values._replace(is_complete=is_complete(trace))


def load_all(traces: Iterable[int]) -> dict[int, SpanValues]:
    """The stored values of those traces (primary keys) whose spans are here; complete if all spans are."""
    rows = SpanMetadata.objects.filter(trace__in=list(traces)).select_related("trace").defer("trace__metadata")
    return {row.trace_id: SpanValues.build(row.values, is_complete=is_complete(row.trace)) for row in rows}


def is_complete(trace: Trace) -> bool:
    """Whether all spans of a trace are here and no further pull of them is due."""
    return trace.has_spans and not trace.is_cut and trace.pull_due_at is None


def read(trace: Trace) -> SpanValues:
    """Read the values from the attributes of a trace's stored spans."""
    carries_metadata = Q()
    for prefix in PREFIXES:
        carries_metadata |= Q(attributes__contains=prefix)
    spans = Span.objects.filter(carries_metadata, trace=trace).order_by("start_time", "pk")
    rows = spans.values_list("span_id", "name", "attributes").iterator(chunk_size=500)
    by_key: dict[str, dict[str, SpanValue]] = {}
    for span_id, name, attributes in rows:
        for key, raw in _read_members(attributes).items():
            values = by_key.setdefault(key, {})
            value = values.pop(raw, None) or SpanValue(raw, str(span_id), name, 0)
            values[raw] = value._replace(span_count=value.span_count + 1)
            if len(values) > MAX_VALUES:
                del values[next(iter(values))]
    return SpanValues({key: list(values.values()) for key, values in by_key.items()}, is_complete=True)


def store(trace: Trace, values: SpanValues) -> None:
    """Store the values, and with them who made each change of the trace that was not ours."""
    SpanMetadata.objects.update_or_create(
        trace=trace, defaults={"project_id": trace.project_id, "values": values.dump()}
    )
    authors: dict[Author, list[int]] = {}
    changes = MetadataChange.objects.filter(trace=trace).exclude(by=Author.REVIEW_APP)
    for pk, key, after, by in changes.values_list("pk", "key", "after", "by"):
        author = values.find_author(key, after)
        keeps_author = by == Author.OTHER_AFTER_PUSH and author != Author.APPLICATION
        if author != by and not keeps_author:
            authors.setdefault(author, []).append(pk)
    for new_author, pks in authors.items():
        for start in range(0, len(pks), 500):
            MetadataChange.objects.filter(pk__in=pks[start : start + 500]).update(by=new_author)


def is_same_value(first: str, second: str) -> bool:
    """Whether two JSON texts are one value, however its numbers are spelled and its keys ordered."""
    return first == second or _canonical(first) == _canonical(second)


def is_truncated_container(raw: str) -> bool:
    """Whether the text is the start of a longer object or list, whose order of keys is not comparable."""
    return raw.endswith("…") and raw.startswith(("{", "["))


def _read_members(attributes: str) -> dict[str, str]:
    try:
        members = exact_json.loads(attributes)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(members, dict):
        return {}
    return {to_storable_text(key): exact_json.dumps(value) for key, value in _metadata_of(members)}


def _metadata_of(attributes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for prefix in PREFIXES:
        for name, value in attributes.items():
            if name.startswith(prefix):
                yield name.removeprefix(prefix), value


def _is_composed(raw: str, candidates: Sequence[str]) -> bool:
    """Whether a value is one of the candidates, or an object that Laminar merged from several of them."""
    if any(raw == candidate or _shortened(candidate) == raw for candidate in candidates):
        return True
    value = _canonical(raw)
    others = [_canonical(candidate) for candidate in candidates]
    return value in others or (raw.startswith("{") and _is_merged(raw, candidates))


def _is_merged(raw: str, candidates: Sequence[str]) -> bool:
    try:
        members = canonical_json.raw_members(raw)
        objects = [canonical_json.raw_members(text) for text in candidates if text.startswith("{")]
    except (ValueError, RecursionError):
        return False
    return bool(objects) and all(
        _is_composed(member, [other[key] for other in objects if key in other]) for key, member in members.items()
    )


def _shortened(raw: str) -> str:
    """A value's text as the history of changes shortens it."""
    return raw if len(raw) <= MetadataChange.MAX_VALUE_LENGTH else f"{raw[: MetadataChange.MAX_VALUE_LENGTH - 1]}…"


def _canonical(raw: str) -> str:
    try:
        return canonical_json.dumps(canonical_json.loads(raw))
    except (canonical_json.InvalidJSONError, RecursionError):
        return raw
