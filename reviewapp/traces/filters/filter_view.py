"""A filter view: exact pairs, a time range, columns and an order, read from a URL that can be sent to a colleague."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import index, pairs
from reviewapp.traces.metadata.pairs import FilterError, Pair

# Columns of metadata that a list has room for.
COLUMNS = 6
# What a list can be sorted by: the name in its address, and the field.
SORTS = {"start": "start_time", "duration": "duration", "cost": "total_cost", "tokens": "total_tokens"}
NEWEST_FIRST = "-start"
ORDERS = {
    "-start": "newest first", "start": "oldest first", "-duration": "longest first", "duration": "shortest first",
    "-cost": "dearest first", "cost": "cheapest first", "-tokens": "most tokens first", "tokens": "fewest tokens first",
}  # fmt: skip
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class Heading(NamedTuple):
    """A column's heading: where it leads, and the order it stands in as ARIA says it, empty for none."""

    query: str
    order: str


@dataclass(frozen=True, slots=True)
class FilterView:
    """Which traces: all pairs hold, and the start lies in [since, until). And how: with which columns, in which order.

    `sort` is one of SORTS, the largest first with a hyphen before it; empty for the newest first.
    """

    pairs: Sequence[Pair] = ()
    since: datetime | None = None
    until: datetime | None = None
    columns: Sequence[str] = ()
    sort: str = ""

    def matching(self, project: Project, beyond: Q | None = None) -> QuerySet[Any]:
        """The view's traces as `start_time` and `place`, their primary key; those that lie `beyond` a cursor."""
        within = beyond or Q()
        if self.since is not None:
            within &= Q(start_time__gte=self.since)
        if self.until is not None:
            within &= Q(start_time__lt=self.until)
        return index.matching(project, self.pairs, within).values_list("start_time", "place")

    @property
    def order(self) -> tuple[str, bool]:
        """The field it is sorted by, and whether the largest is first."""
        sort = self.sort or NEWEST_FIRST
        return SORTS[sort.removeprefix("-")], sort.startswith("-")

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves any trace out."""
        return bool(self.pairs or self.since or self.until)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The view as the fields of a form."""
        fields = [("m", str(pair)) for pair in self.pairs]
        fields += [(name, moment.isoformat()) for name, moment in (("from", self.since), ("to", self.until)) if moment]
        fields += [("c", key) for key in self.columns]
        return fields + ([("sort", self.sort)] if self.sort else [])

    @property
    def query(self) -> str:
        """The view as the query string of its URL, `m=key%3Dvalue&…`; empty for all traces."""
        return urlencode(self.fields)

    @property
    def chips(self) -> list[tuple[Pair, str]]:
        """Each pair with the query string of the view without it."""
        return [
            (pair, replace(self, pairs=[other for other in self.pairs if other != pair]).query) for pair in self.pairs
        ]

    @property
    def column_chips(self) -> list[tuple[str, str]]:
        """Each column with the query string of the view without it."""
        return [
            (key, replace(self, columns=[other for other in self.columns if other != key]).query)
            for key in self.columns
        ]

    @property
    def order_words(self) -> str:
        return ORDERS[self.sort or NEWEST_FIRST]

    @property
    def orders(self) -> list[tuple[str, str]]:
        """Each order in words, with the query string of the view in it."""
        return [(words, self.sorted_by(sort).query) for sort, words in ORDERS.items()]

    def sorted_by(self, sort: str) -> "FilterView":
        return replace(self, sort="" if sort == NEWEST_FIRST else sort)

    @property
    def headings(self) -> dict[str, Heading]:
        """What each column that can be sorted by leads to: the largest first, and then the smallest."""
        return dict(self._headings())

    def _headings(self) -> Iterator[tuple[str, Heading]]:
        sort = self.sort or NEWEST_FIRST
        for name in SORTS:
            wanted = name if sort == f"-{name}" else f"-{name}"
            order = {f"-{name}": "descending", name: "ascending"}.get(sort, "")
            yield name, Heading(self.sorted_by(wanted).query, order)


def read_view(query: QueryDict) -> FilterView:
    """The view that a URL's query describes. Raises NotAPair with a sentence for what cannot be read."""
    texts = [text for text in query.getlist("m") if text.strip()]
    key, value = query.get("key", ""), query.get("value", "")
    if "=" in key:
        raise FilterError("A key with an equals sign cannot be asked for: the first one divides key and value.")
    if key:
        texts.append(f"{key}={value}")
    elif value.strip():
        raise FilterError("Give the key that this value belongs to.")
    since, until = _moment(query, "from"), _moment(query, "to")
    if until is not None and _DAY.fullmatch(query.get("to", "").strip()):
        # A day is meant with all its hours.
        until = until.replace(hour=23, minute=59, second=59, microsecond=999_999)
    if since is not None and until is not None and since >= until:
        raise FilterError("The time range ends before it begins: exchange From and To.")
    sort = query.get("sort", "")
    is_known = sort.removeprefix("-") in SORTS and sort != NEWEST_FIRST
    return FilterView(pairs.parse_pairs(texts), since, until, _columns(query), sort if is_known else "")


def link_there(view: FilterView, project: Project) -> tuple[str, str]:
    """The same filter in Laminar, or an empty text and a sentence why there is none."""
    place = project.traces_url
    if not place:
        return "", "There is no link to this view in Laminar: the project's address or id there is not known."
    for pair in view.pairs:
        # Its field is cut at a second equals sign, and a filter without a value is left out.
        if "=" in pair.value or not pair.value:
            fault = "a value with an equals sign" if pair.value else "an empty value"
            return "", f"Laminar's own filter cannot ask for this view: “{pair.key[:80]}” has {fault}."
    fields = [
        ("filter", canonical_json.dumps({"column": "metadata", "operator": "eq", "value": str(pair)}))
        for pair in view.pairs
    ]
    if view.since or view.until:
        # A range without both ends is none there.
        since, until = view.since or _FIRST_DAY, view.until or clock.now()
        fields += [("startDate", clock.iso(since)), ("endDate", clock.iso(until))]
    else:
        fields.append(("pastHours", "all"))
    return f"{place}?{urlencode(fields)}", ""


def aware(text: str, otherwise: str) -> datetime:
    """The time that a text spells, in UTC. Raises NotAPair with the sentence `otherwise`."""
    # A plus in an address arrives as a space, and people put one between date and time.
    for spelling in (text, text.replace(" ", "+")):
        try:
            moment = datetime.fromisoformat(spelling)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise FilterError(otherwise)


def _columns(query: QueryDict) -> tuple[str, ...]:
    asked = [*query.getlist("c"), query.get("column", "")]
    columns = tuple(dict.fromkeys(key for key in asked if key.strip()))
    if any("\x00" in key for key in columns):
        raise FilterError("A column's key holds a NUL character. Remove it.")
    if len(columns) > COLUMNS:
        raise FilterError(f"A view shows {COLUMNS} columns of metadata at most. Remove one first.")
    return columns


def _moment(query: QueryDict, name: str) -> datetime | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    return aware(text, f"“{text[:40]}” is not a time: write it as 2026-11-22 or 2026-11-22T10:30.")
