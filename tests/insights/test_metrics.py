"""`/metrics`: figures for Prometheus."""

import pytest
from django.conf import LazySettings
from django.test import Client

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Breaker, Heartbeat, State
from reviewapp.lib import clock
from reviewapp.traces.models import UnreadablePart
from reviewapp.traces.sync import unreadable
from tests.factories import PatchFactory, TraceFactory
from tests.queries import count_queries

URL = "/metrics"
TOKEN = "a token of thirty-two characters."


@pytest.fixture(autouse=True)
def token(settings: LazySettings) -> None:
    settings.METRICS_TOKEN = TOKEN


def fetch(client: Client) -> str:
    return client.get(URL, headers={"Authorization": f"Bearer {TOKEN}"}).text


def test_it_counts_unfinished_deliveries(client: Client, project: Project) -> None:
    for state in (State.WAITING, State.PARKED, State.PARKED, State.CONFIRMED):
        PatchFactory.create(project=project, state=state)
    text = fetch(client)
    assert 'review_desk_deliveries{project="support",state="parked"} 2.0' in text
    assert 'review_desk_deliveries{project="support",state="waiting"} 1.0' in text
    assert "confirmed" not in text.replace("unconfirmed", "")


def test_it_counts_unreadable_traces(client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project)
    unreadable.mark_part(trace, UnreadablePart.Part.SPANS, "a float where an integer is due")
    assert 'review_desk_unreadable_traces{project="support"} 1.0' in fetch(client)


def test_it_names_stopped_projects(client: Client, project: Project) -> None:
    Breaker.objects.create(project=project, paused_at=clock.now())
    assert 'review_desk_deliveries_stopped{project="support"} 1.0' in fetch(client)


def test_it_measures_the_last_heartbeat(client: Client, project: Project) -> None:
    assert "\nreview_desk_worker_heartbeat_seconds " not in fetch(client)
    Heartbeat.objects.create(host="a", pid=1, started_at=clock.now(), seen_at=clock.now())
    assert "\nreview_desk_worker_heartbeat_seconds 0." in fetch(client)


def test_it_needs_no_more_queries_for_more_projects(client: Client, project: Project) -> None:
    PatchFactory.create(project=project)
    count = count_queries(lambda: fetch(client))
    PatchFactory.create()
    assert count_queries(lambda: fetch(client)) == count == 5


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", "Bearer ä"])
def test_it_refuses_any_other_token(client: Client, project: Project, header: str) -> None:
    assert client.get(URL, headers={"Authorization": header}).status_code == 401


def test_it_does_not_exist_without_a_token_in_the_settings(client: Client, settings: LazySettings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get(URL, headers={"Authorization": "Bearer "}).status_code == 404
