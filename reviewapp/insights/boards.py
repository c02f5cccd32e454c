"""What a lead watches: the figures of a project or a queue with links to their rows, people, and charts."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.urls import reverse
from django.utils.http import urlencode

from reviewapp.accounts.models import Project
from reviewapp.insights.figures import FIGURES, Scope, count_reviews, find_oldest, today, week
from reviewapp.lib.numbers import format_decimal
from reviewapp.queues.models import Queue
from reviewapp.queues.progress import Progress, queue_progress
from reviewapp.reviews.counting import is_counting
from reviewapp.web import charts
from reviewapp.web.charts import Bar
from reviewapp.web.templatetags.web import ago, format_duration, percent, thousands

CHART_DAYS = 30
# More people than this are only in the table, more queues only in the list.
MAX_BARS = 25
# A queue with more different scores gets this many ranges of them.
MAX_BINS = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One figure as shown: its text, what it means, and the address of the rows that it counts."""

    label: str
    text: str
    meaning: str
    url: str
    css: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """One person's reviews today and in the last seven days, with the addresses of both."""

    username: str
    today: int
    today_url: str
    week: int
    week_url: str


@dataclass(frozen=True, slots=True)
class ScoreRange:
    label: str
    count: int
    url: str


def link_rows(scope: Scope, figure: str, **query: str) -> str:
    """The address of the rows of a figure."""
    pairs = ({"queue": scope.queue.slug} if scope.queue is not None else {}) | query
    url = reverse("insights:figure-rows", args=[scope.project.slug, figure])
    return f"{url}?{urlencode(pairs)}" if pairs else url


def get_board(project: Project, queue: Queue | None = None) -> dict[str, Any]:
    """The context of a board: its lines, people, scores and charts. The number of queries is always the same."""
    scope = Scope(project, queue)
    by_day, people = _read_days(scope)
    scores = [] if queue is None else _read_scores(scope)
    drawn = [_draw_days(by_day)]
    if 0 < len(people) <= MAX_BARS:
        bars = [Bar(person.username, person.week) for person in people]
        drawn.append(charts.draw_bars("per-person", "Reviews in 7 days by person", bars))
    if scores:
        drawn.append(charts.draw_histogram("scores", "Scores", [(each.label, each.count) for each in scores]))
    return {"lines": get_lines(scope), "people": people, "scores": scores, "charts": drawn,
            "is_counting": is_counting(project)}  # fmt: skip


def get_lines(scope: Scope) -> list[Line]:
    """The figures of a project or a queue."""
    return [*_item_lines(scope), *_review_lines(scope), *_delivery_lines(scope)]


def draw_states(rows: Sequence[tuple[Queue, Progress]]) -> list[charts.Chart]:
    """A chart of the items of each queue by state; none without queues or with too many."""
    bars = [
        (queue.name, [progress.completed, progress.pending, progress.skipped]) for queue, progress in rows[:MAX_BARS]
    ]
    title = f"Items of the first {MAX_BARS} queues" if len(rows) > MAX_BARS else "Items by queue"
    return [charts.draw_stacked_bars("states", title, ["reviewed", "pending", "skipped"], bars)] if bars else []


def _item_lines(scope: Scope) -> list[Line]:
    names = ["to-do", "in-work", "late"]
    counts = {name: FIGURES[name].rows(scope).count() for name in names}
    if scope.queue is not None:
        progress = queue_progress(scope.queue)
        counts |= {"done": progress.completed, "skipped": progress.skipped}
    lines = [
        _make_line(scope, name, thousands(count), "look" if name == "late" and count else "")
        for name, count in counts.items()
    ]
    if (oldest := find_oldest(scope)) is not None:
        url = reverse("reviews:item-review", args=[scope.project.slug, oldest.pk])
        lines.append(Line("Oldest", ago(oldest.added_at), "The pending item that was added first", url))
    return lines


def _review_lines(scope: Scope) -> list[Line]:
    counts = count_reviews(scope)
    total, timed = counts["reviews"], counts["timed"]
    lines = [_make_line(scope, name, thousands(counts[name])) for name in ("reviews", "flagged", "unsure")]
    share = percent(counts["flagged"] / total) if total else "–"  # noqa: RUF001
    lines.append(Line("Flagged share", share, "Reviews that need review, of all", link_rows(scope, "flagged")))
    pace = format_duration(counts["seconds"] / timed) if timed else "–"  # noqa: RUF001
    meaning = f"Mean time that an item was on the visible screen; measured in {timed:,} reviews"
    return [*lines, Line("Active time per item", pace, meaning, link_rows(scope, "timed"))]


def _delivery_lines(scope: Scope) -> list[Line]:
    parked = FIGURES["parked"].rows(scope).count()
    lines = [_make_line(scope, "parked", thousands(parked), "broken" if parked else "")]
    times = FIGURES["delivered"].rows(scope).values_list("created_at", "confirmed_at")
    seconds = sorted((confirmed - created).total_seconds() for created, confirmed in times)
    text = f"{_rank(seconds, 0.5)} · {_rank(seconds, 0.95)}" if seconds else "–"  # noqa: RUF001
    meaning = (
        f"From submitted to confirmed: half took at most the first, 95% at most the second; {len(seconds):,} deliveries"
        " of the last 7 days"
    )
    return [*lines, Line("Delivery lag p50 · p95", text, meaning, link_rows(scope, "delivered"))]


def _make_line(scope: Scope, name: str, text: str, css: str = "") -> Line:
    return Line(FIGURES[name].label, text, FIGURES[name].meaning, link_rows(scope, name), css)


def _rank(seconds: Sequence[float], share: float) -> str:
    """The nearest-rank percentile of sorted seconds, as text."""
    return format_duration(seconds[max(0, math.ceil(share * len(seconds)) - 1)])


def _read_days(scope: Scope) -> tuple[dict[date, int], list[Person]]:
    """Reviews by day, and people with reviews in the last seven days by name."""
    since = today() - timedelta(days=CHART_DAYS - 1)
    rows = scope.counts().by_day(since).values_list("value", "reviewer__username").annotate(Sum("reviews"))
    by_day: Counter[date] = Counter()
    by_person: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for text, username, count in rows.order_by():
        day = date.fromisoformat(text)
        by_day[day] += count
        if day >= week():
            by_person[username][day] += count
    people = [
        Person(
            name, days[today()], link_rows(scope, "today", person=name),
            days.total(), link_rows(scope, "week", person=name),
        )
        for name, days in sorted(by_person.items())
        if days.total()
    ]  # fmt: skip
    return {
        since + timedelta(days=number): by_day[since + timedelta(days=number)] for number in range(CHART_DAYS)
    }, people


def _draw_days(by_day: dict[date, int]) -> charts.Chart:
    points = [(day.isoformat(), float(count)) for day, count in by_day.items()]
    return charts.draw_sparkline("per-day", f"Reviews a day, last {CHART_DAYS} days (UTC)", points)


def _read_scores(scope: Scope) -> list[ScoreRange]:
    """How often each score was given; of many scores, ranges of equal width."""
    rows = scope.counts().by_score().values_list("value").annotate(Sum("reviews")).order_by()
    counts = sorted((Decimal(value), count) for value, count in rows if count)
    if len(counts) <= MAX_BINS + 1:
        return [_make_range(scope, [pair]) for pair in counts]
    low, high = counts[0][0], counts[-1][0]
    bins: defaultdict[int, list[tuple[Decimal, int]]] = defaultdict(list)
    for score, count in counts:
        bins[min(int((score - low) * MAX_BINS / (high - low)), MAX_BINS - 1)].append((score, count))
    return [_make_range(scope, bins[number]) for number in sorted(bins)]


def _make_range(scope: Scope, counts: Sequence[tuple[Decimal, int]]) -> ScoreRange:
    low, high = format_decimal(counts[0][0]), format_decimal(counts[-1][0])
    url = link_rows(scope, "reviews", **{"from": low, "to": high})
    return ScoreRange(low if low == high else f"{low} to {high}", sum(count for _, count in counts), url)
