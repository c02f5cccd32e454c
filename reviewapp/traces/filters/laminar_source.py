"""Ask Laminar's own SQL for a view: one that reaches past what the mirror keeps, or that somebody wants from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reviewapp.accounts.models import Project
from reviewapp.keys.laminar_keys import NoReadableKey, make_read_client
from reviewapp.laminar import LaminarError, TraceRow
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import CUT, PAGE_SIZE, cursor_of, read_cursor
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import watermark

# A page does not wait longer, in seconds.
DEADLINE = 10.0
# More traces that began in one microsecond cannot be paged through.
SKIPPED = 1_000
_MOMENT = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shown:
    """A trace as Laminar shows it, and where it is read: here if it is in the mirror."""

    row: TraceRow
    is_mirrored: bool
    laminar_url: str


@dataclass(frozen=True, slots=True)
class Source:
    """Who answers a view: Laminar with `rows`, or the mirror; `error` says why Laminar, which was asked, did not.

    `complete_since` is from when on the mirror holds all traces; `older` is the cursor of Laminar's next page.
    """

    is_laminar: bool
    complete_since: datetime | None
    rows: list[Shown]
    older: str = ""
    error: str = ""
    is_before_mirror: bool = False

    @property
    def source_param(self) -> str:
        """What the links of this page say, so that the same one answers; empty where it does so by itself."""
        if self.is_laminar == self.is_before_mirror:
            return ""
        return "laminar" if self.is_laminar else "mirror"

    @property
    def query_prefix(self) -> str:
        """What the addresses of such links begin with."""
        return _named(self.source_param)


def asked(query: Mapping[str, str]) -> str:
    """The source that an address names, as another address begins with it; empty for none."""
    return _named(query.get("source", ""))


def source_of(query: Mapping[str, str], view: FilterView, project: Project) -> Source:
    """Who answers the view at this address, with the page asked for where that is Laminar. Raises NotAPair.

    A cursor is Laminar's where the address names Laminar, and else the mirror's: neither reads one of the other.
    """
    mark = watermark.get_watermark(project)
    since = None if mark is None else mark.gapless_since
    is_past = since is not None and any(moment is not None and moment < since for moment in (view.since, view.until))
    wanted, has_cursor = query.get("source", ""), bool(query.get("before") or query.get("after"))
    if wanted != "laminar" and (wanted == "mirror" or has_cursor or not is_past):
        return Source(False, since, [], is_before_mirror=is_past)
    moment, skipped = read_cursor(query["before"]) if query.get("before") else (None, 0)
    if skipped > SKIPPED or moment == _LAST:
        raise FilterError(CUT)
    try:
        rows = _asked(view, project, moment, skipped)
    except (NoReadableKey, LaminarError) as error:
        return Source(False, since, [], error=str(error), is_before_mirror=is_past)
    page = rows[:PAGE_SIZE]
    older = _older(page, moment, skipped) if len(rows) > PAGE_SIZE else ""
    return Source(True, since, _shown(project, page), older, is_before_mirror=is_past)


def _named(source: str) -> str:
    return f"source={source}&" if source in ("laminar", "mirror") else ""


def _asked(view: FilterView, project: Project, moment: datetime | None, skipped: int) -> list[TraceRow]:
    """One trace more than a page, from the cursor on: its moment, and how many of that moment have been shown."""
    client = make_read_client(project, deadline=DEADLINE)
    until = view.until if moment is None else moment + _MOMENT
    rows = client.find_traces(view.pairs, since=view.since, until=until, limit=PAGE_SIZE + 1 + skipped)
    return rows[min(skipped, sum(row.start_time == moment for row in rows)) :]


def _older(page: list[TraceRow], moment: datetime | None, skipped: int) -> str:
    last = page[-1].start_time
    shown = sum(row.start_time == last for row in page)
    return cursor_of((last, shown + skipped if last == moment else shown))


def _shown(project: Project, rows: list[TraceRow]) -> list[Shown]:
    here = set(
        Trace.objects.filter(project=project, trace_id__in=[row.id for row in rows]).values_list("trace_id", flat=True)
    )
    return [Shown(row, row.id in here, project.trace_url(row.id)) for row in rows]
