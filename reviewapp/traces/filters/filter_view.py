"""A filter view: exact pairs, conditions, a time range, columns and an order, all in a URL that can be shared."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict

from reviewapp.accounts.models import Project, User
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.shortening import shorten
from reviewapp.traces.filters.conditions import Condition, read_conditions
from reviewapp.traces.metadata import index, pairs
from reviewapp.traces.metadata.pairs import FilterError, Pair

# Most metadata columns of a list.
MAX_COLUMNS = 6
# Characters of a view's query: a server reads 8,190 of a URL, and links add a cursor, a source or 50 ticked traces.
MAX_QUERY_LENGTH = 5_500
# What a list can be sorted by: the name in a URL, and the field.
SORTS = {"start": "start_time", "duration": "duration", "cost": "total_cost", "tokens": "total_tokens"}
NEWEST_FIRST = "-start"
ORDER_LABELS = {
    "-start": "newest first", "start": "oldest first", "-duration": "longest first", "duration": "shortest first",
    "-cost": "highest cost first", "cost": "lowest cost first", "-tokens": "most tokens first",
    "tokens": "fewest tokens first",
}  # fmt: skip
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class Heading(NamedTuple):
    """A sortable column's heading: the query string of its link, and its `aria-sort`, empty if not sorted by it."""

    query: str
    aria_sort: str


@dataclass(frozen=True, slots=True)
class FilterView:
    """Which traces: those that have all pairs, meet all conditions and start in [since, until). And how: the columns
    and the order.

    `sort` is one of SORTS, with a leading hyphen for descending order; empty for newest first. `viewer` is who looks:
    conditions on reviews use only those that this person may see.
    """

    pairs: Sequence[Pair] = ()
    since: datetime | None = None
    until: datetime | None = None
    columns: Sequence[str] = ()
    sort: str = ""
    conditions: Sequence[Condition] = ()
    viewer: User | None = None

    def matching(self, project: Project, cursor_condition: Q | None = None) -> QuerySet[Any]:
        """The traces with all pairs in the time range, as tuples of `start_time` and `place`, their primary key.

        Past the cursor if given. Leaves the other conditions to `search`.
        """
        condition = (cursor_condition or Q()) & self.time_condition
        return index.matching(project, self.pairs, condition).values_list("start_time", "place")

    @property
    def time_condition(self) -> Q:
        condition = Q()
        if self.since is not None:
            condition &= Q(start_time__gte=self.since)
        if self.until is not None:
            condition &= Q(start_time__lt=self.until)
        return condition

    @property
    def order(self) -> tuple[str, bool]:
        """The field it is sorted by, and whether the order is descending."""
        sort = self.sort or NEWEST_FIRST
        return SORTS[sort.removeprefix("-")], sort.startswith("-")

    @property
    def is_filtered(self) -> bool:
        """Whether it has any condition or time range."""
        return bool(self.pairs or self.conditions or self.since or self.until)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The view as names and values of form fields."""
        fields = [("m", str(pair)) for pair in self.pairs]
        fields += [(condition.name, condition.value) for condition in self.conditions]
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
    def condition_chips(self) -> list[tuple[Condition, str]]:
        """Each condition with the query string of the view without it."""
        return [
            (condition, replace(self, conditions=[other for other in self.conditions if other != condition]).query)
            for condition in self.conditions
        ]

    @property
    def typed_conditions(self) -> dict[str, str]:
        """The conditions by name, as the form's fields show them; a further tag is typed into an empty field."""
        return {condition.name: condition.value for condition in self.conditions if condition.name != "tag"}

    @property
    def hidden_fields(self) -> list[tuple[str, str]]:
        """The fields that the filter's form sends unseen, because it has no visible ones for them."""
        typed = {"from", "to", *self.typed_conditions}
        return [(name, value) for name, value in self.fields if name not in typed]

    @property
    def column_chips(self) -> list[tuple[str, str]]:
        """Each column with the query string of the view without it."""
        return [
            (key, replace(self, columns=[other for other in self.columns if other != key]).query)
            for key in self.columns
        ]

    @property
    def order_label(self) -> str:
        return ORDER_LABELS[self.sort or NEWEST_FIRST]

    @property
    def order_links(self) -> list[tuple[str, str]]:
        """The label of each order, with the query string of the view in that order."""
        return [(label, self.sorted_by(sort).query) for sort, label in ORDER_LABELS.items()]

    def sorted_by(self, sort: str) -> "FilterView":
        return replace(self, sort="" if sort == NEWEST_FIRST else sort)

    @property
    def headings(self) -> dict[str, Heading]:
        """The headings of the sortable columns: a link sorts in descending order first, then in ascending order."""
        return dict(self._headings())

    def _headings(self) -> Iterator[tuple[str, Heading]]:
        sort = self.sort or NEWEST_FIRST
        for name in SORTS:
            next_sort = name if sort == f"-{name}" else f"-{name}"
            aria_sort = {f"-{name}": "descending", name: "ascending"}.get(sort, "")
            yield name, Heading(self.sorted_by(next_sort).query, aria_sort)


def read_view(query: QueryDict, viewer: User | None = None) -> FilterView:
    """The view that a URL's query describes, as this person may see it. Raises FilterError."""
    texts = [text for text in query.getlist("m") if text.strip()]
    key, value = query.get("key", ""), query.get("value", "")
    if "=" in key:
        raise FilterError("A key cannot contain an equals sign here: the first one separates key and value.")
    if key:
        texts.append(f"{key}={value}")
    elif value.strip():
        raise FilterError("Enter the key of this value.")
    since, until = _moment(query, "from"), _moment(query, "to")
    if until is not None and _DAY.fullmatch(query.get("to", "").strip()):
        # A range to a day includes that day.
        until = until.replace(hour=23, minute=59, second=59, microsecond=999_999)
    if since is not None and until is not None and since >= until:
        raise FilterError("The time range ends before it starts. Swap From and To.")
    sort = query.get("sort", "")
    is_known = sort.removeprefix("-") in SORTS and sort != NEWEST_FIRST
    return FilterView(
        pairs.parse_pairs(texts),
        since,
        until,
        _columns(query),
        sort if is_known else "",
        read_conditions(query),
        viewer,
    )


def check_length(view: FilterView) -> None:
    """Check that the view fits into a URL. Raises FilterError."""
    if len(view.query) > MAX_QUERY_LENGTH:
        raise FilterError(
            f"This filter is too long for a URL: {len(view.query):,} characters, where a letter outside ASCII counts as"
            f" 6 or more. The maximum is {MAX_QUERY_LENGTH:,}. Shorten a value, or remove a condition or column."
        )


def build_laminar_link(view: FilterView, project: Project) -> tuple[str, str]:
    """The URL of the same filter in Laminar and an empty text, or an empty URL and a sentence why there is none."""
    url = project.traces_url
    if not url:
        return "", "No link to Laminar: this project's Laminar URL or project id is not known."
    if view.conditions:
        return "", "No link to Laminar: a link can only have metadata conditions and a time range."
    for pair in view.pairs:
        # Laminar cuts a filter's text at a second equals sign, and drops a filter without a value.
        if "=" in pair.value or not pair.value:
            reason = "a value with an equals sign" if pair.value else "an empty value"
            return "", f"No link to Laminar: its filter does not support {reason} (“{shorten(pair.key, 80)}”)."
        # It looks for the key as it is typed in the JSON text, where these are escaped.
        if json.dumps(pair.key, ensure_ascii=False) != f'"{pair.key}"':
            return "", (
                "No link to Laminar: its filter does not support a key with a quotation mark, backslash or control"
                f" character (“{shorten(pair.key, 80)}”)."
            )
    fields = [
        ("filter", canonical_json.dumps({"column": "metadata", "operator": "eq", "value": str(pair)}))
        for pair in view.pairs
    ]
    if view.since or view.until:
        # Laminar ignores a range that lacks one end.
        since, until = view.since or _FIRST_DAY, view.until or clock.now()
        fields += [("startDate", clock.iso(since)), ("endDate", clock.iso(until))]
    else:
        fields.append(("pastHours", "all"))
    return f"{url}?{urlencode(fields)}", ""


def parse_time(text: str, error: str) -> datetime:
    """The time that a text spells, in UTC. Raises FilterError with the sentence `error`."""
    # A plus sign in a URL arrives as a space; people also type a space between date and time.
    for spelling in (text, text.replace(" ", "+")):
        try:
            moment = datetime.fromisoformat(spelling)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise FilterError(error)


def _columns(query: QueryDict) -> tuple[str, ...]:
    keys = [*query.getlist("c"), query.get("column", "")]
    columns = tuple(dict.fromkeys(key for key in keys if key.strip()))
    if any("\x00" in key for key in columns):
        raise FilterError("A column's key contains a NUL character. Remove it.")
    if len(columns) > MAX_COLUMNS:
        raise FilterError(f"A view can have at most {MAX_COLUMNS} metadata columns. Remove one first.")
    return columns


def _moment(query: QueryDict, name: str) -> datetime | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    return parse_time(text, f"“{shorten(text, 40)}” is not a time. Write it as 2026-11-22 or 2026-11-22T10:30.")
