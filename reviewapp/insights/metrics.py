"""Figures for Prometheus, read from the database when it asks: every node answers the same."""

from collections.abc import Iterator

from django.db.models import Count, Max, Min
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from reviewapp.delivery.models import Breaker, Heartbeat, Patch, State
from reviewapp.lib import clock
from reviewapp.traces.sync import unreadable

UNFINISHED = (State.WAITING, State.SENDING, State.ACCEPTED)
# Confirmed and superseded patches are history, and there may be millions.
COUNTED = (*UNFINISHED, State.PARKED)


def render() -> bytes:
    """Return all figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_DatabaseCollector())
    return generate_latest(registry)


class _DatabaseCollector(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _count_deliveries()
        yield _measure_oldest_delivery()
        yield _list_stopped_projects()
        yield _count_unreadable_traces()
        yield _measure_heartbeat()


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
    patches = Patch.objects.filter(state__in=UNFINISHED).order_by()
    for project, oldest in patches.values_list("project__slug").annotate(Min("created_at")):
        metric.add_metric([project], max((now - oldest).total_seconds(), 0))
    return metric


def _list_stopped_projects() -> GaugeMetricFamily:
    text = "1 for each project whose deliveries have stopped: Laminar fails or refuses the key, or they are paused."
    metric = GaugeMetricFamily("review_desk_deliveries_stopped", text, labels=["project"])
    for breaker in Breaker.objects.select_related("project"):
        if breaker.is_open or breaker.paused_at is not None:
            metric.add_metric([breaker.project.slug], 1)
    return metric


def _count_unreadable_traces() -> GaugeMetricFamily:
    metric = GaugeMetricFamily("review_desk_unreadable_traces", "Traces that could not be read.", labels=["project"])
    for project, count in unreadable.count_by_project().items():
        metric.add_metric([project], count)
    return metric


def _measure_heartbeat() -> GaugeMetricFamily:
    text = "Seconds since any worker was last seen; missing if there never was one."
    metric = GaugeMetricFamily("review_desk_worker_heartbeat_seconds", text)
    if seen_at := Heartbeat.objects.aggregate(newest=Max("seen_at"))["newest"]:
        metric.add_metric([], max((clock.now() - seen_at).total_seconds(), 0))
    return metric
