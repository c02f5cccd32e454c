"""The registry of a project's metadata keys: their values, who sets them, and what makes a key hard to filter by.

All of it is computed from the index and the history at each request, from a bounded part of each.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.lib.personal_data import find_personal_data
from reviewapp.traces import queries
from reviewapp.traces.filter_models import MetadataKey
from reviewapp.traces.metadata import history, pairs, span_values
from reviewapp.traces.metadata.merge import parse_members
from reviewapp.traces.models import MetadataChange, SpanMetadata

Author = MetadataChange.Author

PAGE_SIZE = 25
# Values that are read of each key, most frequent first, and how many of them a page shows.
MAX_VALUES, MAX_SHOWN_VALUES = 200, 10
# A key with more values than this is hard to filter by.
TOO_MANY_VALUES = 100
# Keys whose names are compared, and changes that are read, newest first.
MAX_NAMES, MAX_CHANGES = 2_000, 5_000
# Traces whose values are compared with those of their spans, newest first.
MAX_TRACES = 100
# Traces in which a value changed while they ran, before the key gets a finding.
MIN_FLIPS = 2
_SEPARATORS = re.compile(r"[\W_]+")


# A value's JSON text, its number of traces, and the start times of the first and last of them.
TermRow = tuple[str, int, datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value as it is written in a filter, with the number of traces that have it."""

    text: str
    count: int


@dataclass
class KeySummary:
    """One key, with the number of traces that have it, its values, and what is known of its changes."""

    name: str
    count: int
    terms: Sequence[TermRow]
    similar_names: Sequence[str] = ()
    authors: Counter[str] = field(default_factory=Counter)
    # Who set the value, with the number of traces, in the newest traces whose spans are here.
    setters: Counter[str] = field(default_factory=Counter)
    flip_count: int = 0
    # Whether all changes of the project were read; else there may be older ones of this key.
    has_full_history: bool = True

    @property
    def has_more_values(self) -> bool:
        """Whether it has more values than were read."""
        return len(self.terms) > MAX_VALUES

    @property
    def distinct_count(self) -> int:
        return min(len(self.terms), MAX_VALUES)

    @cached_property
    def values(self) -> list[ValueCount]:
        """The most frequent values; equal spellings of different types are separate entries."""
        return [ValueCount(pairs.display_value(raw), count) for raw, count, *_ in self.terms[:MAX_SHOWN_VALUES]]

    @cached_property
    def types(self) -> list[tuple[str, int]]:
        """The JSON types of the values that were read, each with its number of traces, most frequent first."""
        counts: Counter[str] = Counter()
        for raw, count, *_ in self.terms[:MAX_VALUES]:
            counts[describe_type(raw)] += count
        return counts.most_common()

    @property
    def first_at(self) -> datetime | None:
        """Start of the first trace that has the key; None if not all values were read."""
        return None if self.has_more_values else min((first for *_, first, _ in self.terms if first), default=None)

    @property
    def last_at(self) -> datetime | None:
        """Start of the last trace that has the key; None if not all values were read."""
        return None if self.has_more_values else max((last for *_, last in self.terms if last), default=None)

    @property
    def set_by(self) -> list[tuple[str, int]]:
        """Who set its values, each with the number of traces; empty if no trace with the key has its spans here."""
        return [(Author(author).label, count) for author, count in self.setters.most_common()]

    @property
    def changed_by(self) -> list[tuple[str, int]]:
        """Who changed its values, each with the number of changes; empty if no change is known."""
        return [(Author(author).label, count) for author, count in self.authors.most_common()]

    @cached_property
    def findings(self) -> list[str]:
        return list(_lint(self))


@dataclass(frozen=True, slots=True)
class Page:
    """Keys, most frequent first; `next_start` is the `start` of the next page, 0 for none."""

    keys: list[KeySummary]
    next_start: int


def get_page(project: Project, part: str = "", start: int = 0) -> Page:
    """A page of the project's keys whose names contain `part`, ignoring case, from position `start` on."""
    keys = (
        MetadataKey.objects.filter(project=project, count__gt=0).order_by("-count", "name").values_list("name", "count")
    )
    names = list(keys[:MAX_NAMES])
    matches = [name for name in names if part.casefold() in name[0].casefold()]
    shown = matches[start : start + PAGE_SIZE]
    terms = _get_terms(project, [name for name, _ in shown])
    by_normalised: dict[str, list[str]] = {}
    for name, _ in names:
        by_normalised.setdefault(_normalise(name), []).append(name)
    authors, flips, is_complete = _get_changes(project)
    setters = _count_setters(project)
    summaries = [
        KeySummary(
            name, count, terms.get(name, []), [other for other in by_normalised[_normalise(name)] if other != name],
            authors.get(name, Counter()), setters.get(name, Counter()), len(flips.get(name, ())), is_complete,
        )
        for name, count in shown
    ]  # fmt: skip
    return Page(summaries, start + PAGE_SIZE if len(matches) > start + PAGE_SIZE else 0)


def describe_type(raw: str) -> str:
    """The JSON type of a value's text, in words; a number with a point or an exponent is not an integer."""
    types = {'"': "text", "{": "object", "[": "list", "t": "true or false", "f": "true or false", "n": "null"}
    return types.get(raw[:1]) or ("integer" if raw.lstrip("-").isdecimal() else "decimal number")


def _get_terms(project: Project, keys: Sequence[str]) -> dict[str, list[TermRow]]:
    """Each key's values, most frequent first, up to MAX_VALUES + 1, in one query for all keys."""
    terms: dict[str, list[TermRow]] = {}
    if keys:
        params = [value for key in keys for value in (project.pk, key, MAX_VALUES + 1)]
        for key, raw, count, first, last in sql.fetch_rows(
            " UNION ALL ".join([queries.TERMS_OF_KEY] * len(keys)), *params
        ):
            terms.setdefault(key, []).append((raw, count, sql.parse_datetime(first), sql.parse_datetime(last)))
    return terms


def _get_changes(project: Project) -> tuple[dict[str, Counter[str]], dict[str, set[int]], bool]:
    """Read the newest changes of the project.

    Returns, by key, the number of changes of each author; by key, the traces in which the application replaced a value;
    and whether these are all changes of the project.
    """
    authors: dict[str, Counter[str]] = {}
    flips: dict[str, set[int]] = {}
    newest = MetadataChange.objects.filter(project=project).order_by("-pk")[: MAX_CHANGES + 1]
    rows = list(newest.values_list("key", "by", "trace_id", "before"))
    for key, author, trace, before in rows[:MAX_CHANGES]:
        authors.setdefault(key, Counter())[author] += 1
        if author == Author.APPLICATION and before is not None:
            flips.setdefault(key, set()).add(trace)
    return authors, flips, len(rows) <= MAX_CHANGES


def _count_setters(project: Project) -> dict[str, Counter[str]]:
    """By key, who set its value in the newest traces whose spans are here, with the number of traces."""
    newest = SpanMetadata.objects.filter(project=project).order_by("-trace")[:MAX_TRACES]
    traces = [row.trace for row in newest.select_related("trace").defer("values")]
    values_by_trace = span_values.load_all(trace.pk for trace in traces)
    pushed_keys = history.get_pushed_keys(trace.pk for trace in traces)
    setters: dict[str, Counter[str]] = {}
    for trace in traces:
        values = values_by_trace.get(trace.pk, span_values.NOTHING_KNOWN)
        for key, raw in parse_members(trace.metadata).items():
            author = pushed_keys.get((trace.pk, key[:300])) or values.find_author(key, raw)
            setters.setdefault(key[:300], Counter())[author] += 1
    return setters


def _normalise(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


def _lint(key: KeySummary) -> Iterator[str]:
    if key.similar_names:
        others = ", ".join(f"“{name}”" for name in key.similar_names[:3])
        yield f"Also spelled {others}: a filter by one spelling misses traces with the other. Use one spelling."
    types = [name for name, _ in key.types if name != "null"]
    if len(types) > 1:
        yield f"Values have several types ({', '.join(types)}), and to a filter 1.0 is not 1. Use one type."
    if key.distinct_count > TOO_MANY_VALUES:
        yield f"It has more than {TOO_MANY_VALUES} different values: a filter by one value matches few traces."
    kinds = Counter(
        finding.kind for raw, *_ in key.terms[:MAX_VALUES] for finding in find_personal_data(pairs.display_value(raw))
    )
    if kinds:
        names = ", ".join(kind for kind, _ in kinds.most_common())
        yield f"Values look like personal data ({names}). Remove or mask it."
    if any(name in ("object", "list") and _has_objects(key) for name in types):
        yield "Some values are objects: each push replaces the whole object, and a filter matches only its exact text."
    if key.flip_count >= MIN_FLIPS:
        yield f"Changed during the run in {key.flip_count} traces, so a view may lose them. Set the key once per trace."


def _has_objects(key: KeySummary) -> bool:
    return any(raw.startswith(("{", "[{")) for raw, *_ in key.terms[:MAX_VALUES])
