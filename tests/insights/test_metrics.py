"""`/metrics`: figures for Prometheus."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.delivery.models import Attempt, Breaker, Heartbeat, State
from reviewapp.lib import clock
from reviewapp.queues.rules.runner import SETTLE_DELAY, apply_due_rules
from reviewapp.reviews.models import Draft
from reviewapp.traces.models import UnreadablePart, Watermark
from reviewapp.traces.sync import unreadable
from tests.factories import PatchFactory, QueueFactory, QueueItemFactory, ReviewFactory, RuleFactory, TraceFactory
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
    assert 'state="confirmed"' not in text


def test_it_counts_unreadable_traces(client: Client, project: Project) -> None:
    trace = TraceFactory.create(project=project)
    unreadable.mark_part(trace, UnreadablePart.Part.SPANS, "a float where an integer is due")
    assert 'review_desk_unreadable_traces{project="support"} 1.0' in fetch(client)


def test_it_names_stopped_projects(client: Client, project: Project) -> None:
    Breaker.objects.create(project=project, paused_at=clock.now())
    text = fetch(client)
    assert 'review_desk_deliveries_stopped{project="support"} 1.0' in text
    assert 'review_desk_breaker_open{project="support"}' not in text
    Breaker.objects.update(paused_at=None, open_until=clock.now() + timedelta(minutes=1))
    assert 'review_desk_breaker_open{project="support"} 1.0' in fetch(client)


def test_it_measures_the_last_heartbeat(client: Client, project: Project) -> None:
    assert "\nreview_desk_worker_heartbeat_seconds " not in fetch(client)
    Heartbeat.objects.create(host="a", pid=1, started_at=clock.now(), seen_at=clock.now())
    Heartbeat.objects.create(host="b", pid=1, started_at=clock.now(), seen_at=clock.now() - timedelta(minutes=1))
    text = fetch(client)
    assert "\nreview_desk_worker_heartbeat_seconds 0." in text
    assert "\nreview_desk_workers 1.0" in text


def test_it_measures_the_oldest_unfinished_delivery(client: Client, project: Project) -> None:
    for minutes, state in ((1, State.WAITING), (5, State.ACCEPTED), (60, State.PARKED), (60, State.CONFIRMED)):
        PatchFactory.create(project=project, state=state, created_at=clock.now() - timedelta(minutes=minutes))
    assert 'review_desk_oldest_delivery_seconds{project="support"} 300.' in fetch(client)


def test_it_counts_saves_and_drafts(client: Client, project: Project, reviewer: User) -> None:
    assert "\nreview_desk_saves_total 0.0" in fetch(client)
    item = QueueItemFactory.create(queue__project=project)
    review = ReviewFactory.create(item=item)
    Draft.objects.create(item=item, user=reviewer, fields="{}", version=0, saved_at=clock.now())
    text = fetch(client)
    assert f"\nreview_desk_saves_total {float(review.pk)}" in text
    assert "\nreview_desk_drafts 1.0" in text


def test_it_counts_recent_attempts_by_status(client: Client, project: Project) -> None:
    patch = PatchFactory.create(project=project)
    for minutes, status in ((10, 200), (1, 200), (1, 200), (0, 503), (0, None)):
        at = clock.now() - timedelta(minutes=minutes)
        Attempt.objects.create(patch=patch, act=Attempt.Act.PUSH, at=at, seconds=1, status=status, outcome="-")
    text = fetch(client)
    for label, count in (("200", 2), ("503", 1), ("none", 1)):
        assert f'review_desk_attempts{{act="push",status="{label}"}} {count}.0' in text


def test_it_measures_the_newest_confirmation(client: Client, project: Project) -> None:
    for seconds in (90, 7):
        created_at = clock.now() - timedelta(hours=1)
        confirmed_at = created_at + timedelta(seconds=seconds)
        PatchFactory.create(project=project, state=State.CONFIRMED, created_at=created_at, confirmed_at=confirmed_at)
    assert 'review_desk_confirm_lag_seconds{project="support"} 7.0' in fetch(client)


def test_it_measures_how_far_the_mirror_is_behind(client: Client, project: Project) -> None:
    listed_until = clock.now() - timedelta(minutes=2)
    watermark = Watermark.objects.create(project=project, base_url=project.base_url, listed_until=listed_until)
    assert 'review_desk_mirror_lag_seconds{project="support"} 120.' in fetch(client)
    Watermark.objects.filter(pk=watermark.pk).update(base_url="https://another.example")
    assert "review_desk_mirror_lag_seconds{" not in fetch(client)


def test_it_measures_how_far_a_rule_is_behind(client: Client, project: Project) -> None:
    before = clock.now() - timedelta(hours=1)
    RuleFactory.create(queue=QueueFactory.create(project=project), scanned_until=before, active_since=before)
    TraceFactory.create(project=project, noted_at=clock.now() - SETTLE_DELAY - timedelta(seconds=50))
    assert 'review_desk_rule_lag_seconds{project="support"} 50.' in fetch(client)
    apply_due_rules()
    assert 'review_desk_rule_lag_seconds{project="support"} 0.0' in fetch(client)


def test_it_needs_no_more_queries_for_more_projects(client: Client, project: Project) -> None:
    PatchFactory.create(project=project)
    count = count_queries(lambda: fetch(client))
    PatchFactory.create()
    assert count_queries(lambda: fetch(client)) == count == 12


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", "Bearer ä"])
def test_it_refuses_any_other_token(client: Client, project: Project, header: str) -> None:
    assert client.get(URL, headers={"Authorization": header}).status_code == 401


def test_it_does_not_exist_without_a_token_in_the_settings(client: Client, settings: LazySettings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get(URL, headers={"Authorization": "Bearer "}).status_code == 404
