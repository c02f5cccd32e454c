"""Figures for Prometheus, read from the database when it asks: every node answers the same.

Each is read by an index, or from its end, so that a million finished rows cost nothing (`python -m benchmarks scrape`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, F, Max, OuterRef, QuerySet, Subquery
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reviewapp.accounts.models import Project
from reviewapp.delivery.heartbeat import STALE_AFTER
from reviewapp.delivery.models import Attempt, Breaker, Heartbeat, Patch, State
from reviewapp.lib import clock
from reviewapp.queues.rules.runner import measure_lag
from reviewapp.reviews.models import Draft, Review
from reviewapp.traces.models import Watermark
from reviewapp.traces.sync import unreadable

UNFINISHED = (State.WAITING, State.SENDING, State.ACCEPTED)
# Confirmed and superseded patches are history, and there may be millions.
COUNTED = (*UNFINISHED, State.PARKED)
# Attempts are counted over this time, and among the newest of them: the table has no index by time.
ATTEMPTS_PERIOD, MAX_ATTEMPTS = timedelta(minutes=5), 10_000


def render() -> bytes:
    """Return all figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_DatabaseCollector())
    return generate_latest(registry)


class _DatabaseCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        yield _count_saves()
        yield _count_drafts()
        yield _count_deliveries()
        yield _measure_oldest_delivery()
        yield from _list_stopped_projects()
        yield _count_attempts()
        yield _measure_confirm_lag()
        yield _measure_mirror_lag()
        yield _measure_rule_lag()
        yield _count_unreadable_traces()
        yield from _measure_heartbeats()


def _count_saves() -> CounterMetricFamily:
    # Reviews are only ever added, so that the newest number grows as their count does, and costs one step in an index.
    newest = Review.objects.aggregate(newest=Max("pk"))["newest"]
    return CounterMetricFamily("review_desk_saves", "Number of the newest saved review.", value=newest or 0)


def _count_drafts() -> GaugeMetricFamily:
    return GaugeMetricFamily("review_desk_drafts", "Drafts that are not submitted.", value=Draft.objects.count())


def _count_deliveries() -> GaugeMetricFamily:
    metric = GaugeMetricFamily("review_desk_deliveries", "Unfinished deliveries.", labels=["project", "state"])
    patches = Patch.objects.filter(state__in=COUNTED).order_by()
    for project, state, count in patches.values_list("project__slug", "state").annotate(Count("pk")):
        metric.add_metric([project, state], count)
    return metric


def _measure_oldest_delivery() -> GaugeMetricFamily:
    text = "Seconds since the oldest unconfirmed delivery was saved; parked ones do not count."
    metric = GaugeMetricFamily("review_desk_oldest_delivery_seconds", text, labels=["project"])
    now = clock.now()
    firsts = {state: Subquery(_in_project(state).order_by("pk").values("created_at")[:1]) for state in UNFINISHED}
    for project, *times in Project.objects.values_list("slug", *firsts.values()):
        if oldest := min(filter(None, times), default=None):
            metric.add_metric([project], _seconds_since(oldest, now))
    return metric


def _in_project(state: State) -> "QuerySet[Patch]":
    return Patch.objects.filter(project=OuterRef("pk"), state=state)


def _seconds_since(time: datetime, now: datetime) -> float:
    return max((now - time).total_seconds(), 0)


def _list_stopped_projects() -> Iterator[GaugeMetricFamily]:
    text = "1 for each project whose deliveries have stopped: Laminar fails or refuses the key, or they are paused."
    stopped = GaugeMetricFamily("review_desk_deliveries_stopped", text, labels=["project"])
    text = "1 for each project whose breaker is open: Laminar fails, or refuses the key."
    open_breakers = GaugeMetricFamily("review_desk_breaker_open", text, labels=["project"])
    for breaker in Breaker.objects.select_related("project"):
        is_open = breaker.is_open or breaker.refused_key is not None
        if is_open or breaker.paused_at is not None:
            stopped.add_metric([breaker.project.slug], 1)
        if is_open:
            open_breakers.add_metric([breaker.project.slug], 1)
    yield stopped
    yield open_breakers


def _count_attempts() -> GaugeMetricFamily:
    text = f"Attempts of the last 5 minutes by Laminar's status, or none; the newest {MAX_ATTEMPTS:,} at most."
    metric = GaugeMetricFamily("review_desk_attempts", text, labels=["act", "status"])
    newest = Attempt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    attempts = Attempt.objects.filter(pk__gt=newest - MAX_ATTEMPTS, at__gte=clock.now() - ATTEMPTS_PERIOD).order_by()
    for act, status, count in attempts.values_list("act", "status").annotate(Count("pk")):
        metric.add_metric([act, str(status or "none")], count)
    return metric


def _measure_confirm_lag() -> GaugeMetricFamily:
    text = "Seconds from the save to the confirmation of the newest confirmed delivery."
    metric = GaugeMetricFamily("review_desk_confirm_lag_seconds", text, labels=["project"])
    newest = Subquery(_in_project(State.CONFIRMED).order_by("-pk").values("pk")[:1])
    patches = Patch.objects.filter(pk__in=Project.objects.values(newest=newest))
    for project, created_at, confirmed_at in patches.values_list("project__slug", "created_at", "confirmed_at"):
        if confirmed_at is not None:
            metric.add_metric([project], _seconds_since(created_at, confirmed_at))
    return metric


def _measure_mirror_lag() -> GaugeMetricFamily:
    text = "Seconds since the newest trace that was listed had started; grows, too, while no traces are made."
    metric = GaugeMetricFamily("review_desk_mirror_lag_seconds", text, labels=["project"])
    now = clock.now()
    watermarks = Watermark.objects.filter(base_url=F("project__base_url"))
    for project, listed_until in watermarks.values_list("project__slug", "listed_until"):
        metric.add_metric([project], _seconds_since(listed_until, now))
    return metric


def _measure_rule_lag() -> GaugeMetricFamily:
    text = "Seconds that a trace has waited for the rule that is furthest behind; 0 if none waits."
    metric = GaugeMetricFamily("review_desk_rule_lag_seconds", text, labels=["project"])
    for project, lag in measure_lag().items():
        metric.add_metric([project], lag.total_seconds())
    return metric


def _count_unreadable_traces() -> GaugeMetricFamily:
    metric = GaugeMetricFamily("review_desk_unreadable_traces", "Traces that could not be read.", labels=["project"])
    for project, count in unreadable.count_by_project().items():
        metric.add_metric([project], count)
    return metric


def _measure_heartbeats() -> Iterator[GaugeMetricFamily]:
    now = clock.now()
    seen = list(Heartbeat.objects.values_list("seen_at", flat=True))
    count = sum(seen_at >= now - STALE_AFTER for seen_at in seen)
    yield GaugeMetricFamily("review_desk_workers", "Workers seen in the last 15 seconds.", value=count)
    text = "Seconds since any worker was last seen; missing if there never was one."
    metric = GaugeMetricFamily("review_desk_worker_heartbeat_seconds", text)
    if seen:
        metric.add_metric([], _seconds_since(max(seen), now))
    yield metric
