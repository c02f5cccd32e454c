"""Answer a view with a query to Laminar: for times that the mirror does not cover, or when a user asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from reviewapp.accounts.models import Project
from reviewapp.keys.laminar_keys import NoReadableKey, make_read_client
from reviewapp.laminar import LaminarError, ParsedRows, TraceRow
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.filters.paging import INVALID_CURSOR, PAGE_SIZE, format_cursor, read_cursor
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.traces.models import Trace
from reviewapp.traces.sync import unreadable, watermark

# Seconds that a page waits for Laminar.
DEADLINE = 10.0
# Most traces with one start time that can be paged through.
MAX_SKIPPED = 1_000
_MICROSECOND = timedelta(microseconds=1)
_MAX_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LaminarTrace:
    """A trace in Laminar's answer; its page exists here only if it is mirrored."""

    row: TraceRow
    is_mirrored: bool
    laminar_url: str


@dataclass(frozen=True, slots=True)
class Source:
    """What answers a view: Laminar, with `rows` once it was asked, or the mirror; `error` says why a query failed.

    The mirror has all traces since `complete_since`; `older` is the cursor of Laminar's next page. `is_before_mirror`:
    the view's time range begins before the mirror does. `unreadable_count` of Laminar's rows could not be read.
    """

    is_laminar: bool
    complete_since: datetime | None
    rows: list[LaminarTrace] | None = None
    older: str = ""
    error: str = ""
    is_before_mirror: bool = False
    unreadable_count: int = 0

    @property
    def is_waiting(self) -> bool:
        """Whether Laminar answers the view and was not asked yet."""
        return self.is_laminar and self.rows is None

    @property
    def source_param(self) -> str:
        """The `source` parameter that makes this page's links use the same source; empty where it is the default."""
        if self.is_laminar == self.is_before_mirror:
            return ""
        return "laminar" if self.is_laminar else "mirror"

    @property
    def query_prefix(self) -> str:
        """The start of the query strings of this page's links."""
        return _format_prefix(self.source_param)


def get_query_prefix(query: Mapping[str, str]) -> str:
    """The source that a URL names, as the start of another query string; empty for none."""
    return _format_prefix(query.get("source", ""))


def choose_source(query: Mapping[str, str], view: FilterView, project: Project) -> Source:
    """Choose what answers the view at this URL, without asking Laminar. Raises FilterError.

    Laminar answers pairs and time ranges only: a view with conditions is the mirror's.
    A cursor is Laminar's if the URL names Laminar, else the mirror's: neither can read the other's.
    """
    if not view.is_filtered and not query.get("source"):
        # A page of all traces does not say since when the mirror has them.
        return Source(False, None)
    mirror_watermark = watermark.get_watermark(project)
    since = None if mirror_watermark is None else mirror_watermark.gapless_since
    is_before_mirror = since is not None and any(
        moment is not None and moment < since for moment in (view.since, view.until)
    )
    source, has_cursor = query.get("source", ""), bool(query.get("before") or query.get("after"))
    is_laminar = source == "laminar" or (source != "mirror" and not has_cursor and is_before_mirror)
    if is_laminar and not view.conditions:
        _read_laminar_cursor(query)
        return Source(True, since, is_before_mirror=is_before_mirror)
    return Source(False, since, is_before_mirror=is_before_mirror)


def ask_laminar(source: Source, query: Mapping[str, str], view: FilterView, project: Project) -> Source:
    """Fetch the page that the URL names from Laminar; if that fails, the mirror answers. Raises FilterError.

    Waits up to DEADLINE seconds: only for requests that the web server answers with threads of their own.
    """
    start_time, skipped = _read_laminar_cursor(query)
    try:
        page = _query_laminar(view, project, start_time, skipped)
    except (NoReadableKey, LaminarError) as error:
        return replace(source, is_laminar=False, error=str(error))
    shown = page.readable[:PAGE_SIZE]
    older = _next_cursor(page, shown, start_time, skipped) if page.total > PAGE_SIZE else ""
    return replace(source, rows=_to_laminar_traces(project, shown), older=older, unreadable_count=len(page.unreadable))


def _read_laminar_cursor(query: Mapping[str, str]) -> tuple[datetime | None, int]:
    """The start time and how many traces with it were already shown. Raises FilterError."""
    start_time, skipped = read_cursor(query["before"]) if query.get("before") else (None, 0)
    if skipped > MAX_SKIPPED or start_time == _MAX_TIME:
        raise FilterError(INVALID_CURSOR)
    return start_time, skipped


def _format_prefix(source: str) -> str:
    return f"source={source}&" if source in ("laminar", "mirror") else ""


def _query_laminar(
    view: FilterView, project: Project, start_time: datetime | None, skipped: int
) -> ParsedRows[TraceRow]:
    """One trace more than a page. The cursor is a start time, and how many traces with it were already shown."""
    client = make_read_client(project, seconds=DEADLINE)
    until = view.until if start_time is None else start_time + _MICROSECOND
    page = client.find_traces(
        view.pairs, since=view.since, until=until, limit=PAGE_SIZE + 1 + skipped,
        # One trace that is too long for a response would hide the others.
        excluded=unreadable.find_too_long(project),
    )  # fmt: skip
    shown_before = min(skipped, sum(row.start_time == start_time for row in page.readable))
    return page._replace(readable=page.readable[shown_before:])


def _next_cursor(page: ParsedRows[TraceRow], shown: list[TraceRow], start_time: datetime | None, skipped: int) -> str:
    if not shown:
        start_times = [row.start_time for row in page.unreadable if row.start_time is not None]
        return format_cursor((min(start_times), 0)) if start_times else ""
    last = shown[-1].start_time
    count = sum(row.start_time == last for row in shown)
    return format_cursor((last, count + skipped if last == start_time else count))


def _to_laminar_traces(project: Project, rows: list[TraceRow]) -> list[LaminarTrace]:
    mirrored = set(
        Trace.objects.filter(project=project, trace_id__in=[row.id for row in rows]).values_list("trace_id", flat=True)
    )
    return [LaminarTrace(row, row.id in mirrored, project.trace_url(row.id)) for row in rows]
