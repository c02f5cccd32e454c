"""The registry of a project's metadata keys: what each holds, who sets it, and what makes it a poor key to filter by.

All of it is read from the index and the history as they stand, a bounded part of each.
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
from reviewapp.traces.metadata import pairs
from reviewapp.traces.models import MetadataChange, MetadataKey

PAGE_SIZE = 25
# Values looked at of each key, the most held first; of these are shown; a key with more than CROWDED is a poor filter.
MAX_VALUES, SHOWN, TOO_MANY_VALUES = 200, 10, 100
# Keys whose names are compared, and changes that are looked through, the newest first.
MAX_NAMES, MAX_CHANGES = 2_000, 5_000
# Traces in which a value flipped while they ran, before it is worth a word.
MIN_FLIPS = 2
_TERMS = """
    SELECT * FROM (
        SELECT key, value, count,
            (SELECT start_time FROM reviewapp_posting WHERE term_id = term.id ORDER BY start_time LIMIT 1),
            (SELECT start_time FROM reviewapp_posting WHERE term_id = term.id ORDER BY start_time DESC LIMIT 1)
        FROM reviewapp_term term WHERE project_id = %s AND key = %s AND count > 0 ORDER BY count DESC LIMIT %s
    ) AS part
"""
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Value:
    """A value as one writes it in a filter, and how many traces hold it."""

    text: str
    count: int


@dataclass
class KeySummary:
    """One key, with how many traces hold it; `terms` are values as JSON texts with count, first and last start."""

    name: str
    count: int
    terms: Sequence[tuple[str, int, datetime | None, datetime | None]]
    twins: Sequence[str] = ()
    setters: Counter[str] = field(default_factory=Counter)
    flips: int = 0
    # Whether all changes of the project were looked through: else an older one may be unknown.
    has_full_history: bool = True

    @property
    def has_more(self) -> bool:
        """Whether it has more values than are looked at."""
        return len(self.terms) > MAX_VALUES

    @property
    def distinct_count(self) -> int:
        return min(len(self.terms), MAX_VALUES)

    @cached_property
    def values(self) -> list[Value]:
        """The values most held; those of the same spelling in a filter stay apart, as their types are."""
        return [Value(pairs.display_value(raw), count) for raw, count, *_ in self.terms[:SHOWN]]

    @cached_property
    def types(self) -> list[tuple[str, int]]:
        """The JSON types of the values looked at, each with how many traces hold one, the most held first."""
        held: Counter[str] = Counter()
        for raw, count, *_ in self.terms[:MAX_VALUES]:
            held[type_of(raw)] += count
        return held.most_common()

    @property
    def first_at(self) -> datetime | None:
        """When the first trace with it began; None where not all values are looked at."""
        return None if self.has_more else min((first for *_, first, _ in self.terms if first), default=None)

    @property
    def last_at(self) -> datetime | None:
        return None if self.has_more else max((last for *_, last in self.terms if last), default=None)

    @property
    def set_by(self) -> list[tuple[str, int]]:
        """Who changed values of it, in words, each with how often; the application, where nobody has."""
        labels = dict(MetadataChange.Author.choices)
        return [(labels[by], times) for by, times in self.setters.most_common()]

    @cached_property
    def findings(self) -> list[str]:
        return list(_lint(self))


@dataclass(frozen=True, slots=True)
class Page:
    """Keys by how many traces hold them; `after` is how many stand before the next page, 0 for none."""

    keys: list[KeySummary]
    after: int


def get_page(project: Project, part: str = "", start: int = 0) -> Page:
    """The project's keys that hold this part of a text in any case, from the `start`-th on."""
    held = (
        MetadataKey.objects.filter(project=project, count__gt=0).order_by("-count", "name").values_list("name", "count")
    )
    names = list(held[:MAX_NAMES])
    wanted = [name for name in names if part.casefold() in name[0].casefold()]
    chosen = wanted[start : start + PAGE_SIZE]
    terms = _terms(project, [name for name, _ in chosen])
    twins: dict[str, list[str]] = {}
    for name, _ in names:
        twins.setdefault(_folded(name), []).append(name)
    setters, flips, is_all = _changes(project)
    keys = [
        KeySummary(
            name, count, terms.get(name, []), [other for other in twins[_folded(name)] if other != name],
            setters.get(name, Counter()), len(flips.get(name, ())), is_all,
        )
        for name, count in chosen
    ]  # fmt: skip
    return Page(keys, start + PAGE_SIZE if len(wanted) > start + PAGE_SIZE else 0)


def type_of(raw: str) -> str:
    """The JSON type of a value's text, in words; a number with a point or an exponent is another than a whole one."""
    words = {'"': "text", "{": "object", "[": "list", "t": "yes or no", "f": "yes or no", "n": "null"}
    return words.get(raw[:1]) or ("whole number" if raw.lstrip("-").isdecimal() else "number with a point")


def _terms(project: Project, keys: Sequence[str]) -> dict[str, list[tuple[str, int, datetime | None, datetime | None]]]:
    """Each key's values, most held first, one more than are looked at; one query for all of the keys."""
    found: dict[str, list[tuple[str, int, datetime | None, datetime | None]]] = {}
    if keys:
        bounds = [value for key in keys for value in (project.pk, key, MAX_VALUES + 1)]
        for key, raw, count, first, last in sql.fetch_rows(" UNION ALL ".join([_TERMS] * len(keys)), *bounds):
            found.setdefault(key, []).append((raw, count, sql.parse_datetime(first), sql.parse_datetime(last)))
    return found


def _changes(project: Project) -> tuple[dict[str, Counter[str]], dict[str, set[int]], bool]:
    """For each key who changed it how often, and the traces in which it became another value in flight, of late.

    Says too whether these are all changes that were ever seen.
    """
    setters: dict[str, Counter[str]] = {}
    flips: dict[str, set[int]] = {}
    newest = MetadataChange.objects.filter(project=project).order_by("-pk")[: MAX_CHANGES + 1]
    looked = list(newest.values_list("key", "by", "trace_id", "before"))
    for key, by, trace, before in looked[:MAX_CHANGES]:
        setters.setdefault(key, Counter())[by] += 1
        if by == MetadataChange.Author.APPLICATION and before is not None:
            flips.setdefault(key, set()).add(trace)
    return setters, flips, len(looked) <= MAX_CHANGES


def _folded(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


def _lint(key: KeySummary) -> Iterator[str]:
    if key.twins:
        others = ", ".join(f"“{name}”" for name in key.twins[:3])
        yield f"It is also written {others}: a filter by one misses the traces of the other. Use one spelling."
    kinds = [kind for kind, _ in key.types if kind != "null"]
    if len(kinds) > 1:
        yield f"Its values are of several types ({', '.join(kinds)}): a filter tells 1.0 from 1. Use one type."
    if key.distinct_count > TOO_MANY_VALUES:
        yield f"It has more than {TOO_MANY_VALUES} different values, so that a filter by one finds few traces."
    found = Counter(
        finding.kind for raw, *_ in key.terms[:MAX_VALUES] for finding in find_personal_data(pairs.display_value(raw))
    )
    if found:
        kinds_found = ", ".join(kind for kind, _ in found.most_common())
        yield f"Values look like personal data: {kinds_found}. Leave it out, or mask it."
    if any(kind in ("object", "list") and _is_nested(key) for kind in kinds):
        yield "Some values are objects: Laminar replaces one whole at each push, and finds it by its exact text only."
    if key.flips >= MIN_FLIPS:
        yield f"It became another value in flight, in {key.flips} traces, so that a view may lose them. Set it once."


def _is_nested(key: KeySummary) -> bool:
    return any(raw.startswith(("{", "[{")) for raw, *_ in key.terms[:MAX_VALUES])
