"""The worker sends messages to real endpoints: signed, again until accepted, and never to private addresses."""

import asyncio
import threading
from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import LazySettings
from django.db import connections
from django.db.models import QuerySet
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery import restore_guard
from reviewapp.laminar import normalize_webhook_url
from reviewapp.lib import clock
from reviewapp.lib.leases import LEASE_DURATION
from reviewapp.webhooks import leasing, outbox, results, schedule, subscriptions
from reviewapp.webhooks.models import Event, MessageState, Webhook, WebhookAttempt, WebhookMessage
from reviewapp.webhooks.results import SendResult
from reviewapp.worker.webhook_sender import WebhookSender, send
from tests.delivery.patches import put_many
from tests.laminar.test_addresses import PRIVATE
from tests.webhooks.conftest import Endpoint, add_webhook, run_endpoint
from tests.worker.running import fake_laminar, run_workers
from tests.worker.test_faults import ScriptedStore, create_project

URL = "https://example.com/hooks"


@pytest.fixture
def secret(project: Project, admin: User, endpoint: Endpoint) -> str:
    """The secret of a webhook that leads to the endpoint."""
    return add_webhook(project, admin, endpoint.url)[1]


def emit(project: Project) -> WebhookMessage:
    outbox.emit(project, Event.QUEUE_COMPLETED, {"queue": "answers", "queue_name": "Antworten – été"})
    return WebhookMessage.objects.order_by("-pk")[0]


def send_due() -> None:
    """Send what is due now, as a worker does."""

    async def run() -> None:
        sender = WebhookSender()
        await sender.start_due()
        await sender.finish()
        await sync_to_async(connections.close_all)()

    asyncio.run(run())


def fail(message: WebhookMessage, *, status: int = 500, retry_after: float | None = None) -> WebhookMessage:
    """Lease a message and record that the endpoint answered with a failure."""
    WebhookMessage.objects.filter(pk=message.pk).update(due_at=clock.now())
    Webhook.objects.update(open_until=None)
    (leased,) = leasing.lease(1, Counter())
    result = SendResult(leased, clock.now(), 3, f"answered {status}", status=status, retry_after=retry_after)
    assert results.record_result(result)
    return WebhookMessage.objects.select_related("webhook").get(pk=message.pk)


@pytest.mark.django_db(transaction=True)
def test_it_sends_a_signed_message(project: Project, endpoint: Endpoint, secret: str) -> None:
    message = emit(project)
    send_due()
    ((headers, body),) = endpoint.requests

    assert Verifier(secret).verify(body, headers)["data"]["queue_name"] == "Antworten – été"
    assert headers["webhook-id"] == f"msg_{message.message_id.hex}"
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body.replace("answers", "answerz"), headers)
    message.refresh_from_db()
    attempt = WebhookAttempt.objects.get()
    assert (message.state, attempt.status, attempt.answer) == ("delivered", 200, "thanks")


@pytest.mark.django_db(transaction=True)
def test_it_signs_with_both_secrets_after_a_rotation(
    project: Project, admin: User, endpoint: Endpoint, secret: str
) -> None:
    new = subscriptions.rotate_secret(Webhook.objects.get(), admin)
    emit(project)
    send_due()
    headers, body = endpoint.requests[0]

    assert Verifier(secret).verify(body, headers) == Verifier(new).verify(body, headers)
    Webhook.objects.update(old_secret_until=clock.now())
    emit(project)
    send_due()
    headers, body = endpoint.requests[1]
    assert Verifier(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body, headers)


@pytest.mark.django_db(transaction=True)
def test_it_sends_again_under_the_same_id(project: Project, admin: User, settings: LazySettings) -> None:
    with run_endpoint(lambda number: (500 if number == 1 else 204, b"", {})) as endpoint:
        settings.ALLOWED_WEBHOOK_HOSTS = frozenset([endpoint.host])
        add_webhook(project, admin, endpoint.url)
        emit(project)
        send_due()
        assert WebhookMessage.objects.get().state == MessageState.WAITING
        WebhookMessage.objects.update(due_at=clock.now())
        send_due()
        assert endpoint.requests[0][1] == endpoint.requests[1][1]

    assert endpoint.requests[0][0]["webhook-id"] == endpoint.requests[1][0]["webhook-id"]
    assert WebhookMessage.objects.get().state == MessageState.DELIVERED


@pytest.mark.django_db(transaction=True)
def test_it_sends_what_a_killed_worker_had_in_hand(project: Project, endpoint: Endpoint, secret: str) -> None:
    message = emit(project)
    (lost,) = leasing.lease(10, Counter())
    assert leasing.lease(10, Counter()) == []
    with time_machine.travel(clock.now() + LEASE_DURATION * 1.1, tick=False):
        assert leasing.release_expired_leases() == 1
        send_due()

    assert endpoint.requests[0][0]["webhook-id"] == message.header_id
    assert not results.record_result(SendResult(lost, clock.now(), 1, "late", status=500))
    assert WebhookMessage.objects.get().state == MessageState.DELIVERED


@pytest.mark.django_db(transaction=True)
def test_it_follows_no_redirect(project: Project, admin: User, endpoint: Endpoint, settings: LazySettings) -> None:
    with run_endpoint(lambda number: (307, b"", {"Location": endpoint.url})) as redirecting:
        settings.ALLOWED_WEBHOOK_HOSTS = frozenset([redirecting.host, endpoint.host])
        add_webhook(project, admin, redirecting.url)
        emit(project)
        send_due()

    assert len(redirecting.requests) == 1
    assert endpoint.requests == []
    assert "Redirects are not followed" in WebhookMessage.objects.get().last_error


@pytest.mark.parametrize("host", PRIVATE.split())
def test_it_refuses_a_private_address(project: Project, admin: User, host: str) -> None:
    add_webhook(project, admin, normalize_webhook_url(f"http://{host}:8000/hooks?a=b"))
    emit(project)
    (message,) = leasing.lease(1, Counter())
    result = async_to_sync(send)(message)

    assert "private or reserved" in result.outcome
    assert (result.status, result.is_success) == (None, False)


@pytest.mark.django_db(transaction=True)
def test_it_lets_a_silent_endpoint_slow_neither_others_nor_pushes(
    project: Project, admin: User, settings: LazySettings
) -> None:
    """One endpoint never answers; the messages of another one and the pushes are sent long before its deadline."""
    released, active = threading.Event(), list[int]()

    def hang(number: int) -> tuple[int, bytes, dict[str, str]]:
        released.wait(30)
        return 200, b"", {}

    def is_done(messages: QuerySet[WebhookMessage]) -> bool:
        if messages.filter(state=MessageState.DELIVERED).count() < 20 or len(laminar.pushes) < 20:
            return False
        # Let the silent one answer, so that the worker ends soon.
        active.append(len(silent.requests))
        released.set()
        return True

    with run_endpoint(hang) as silent, run_endpoint() as healthy, fake_laminar(ScriptedStore()) as laminar:
        put_many(create_project(laminar, "pushed"), 20)
        settings.ALLOWED_WEBHOOK_HOSTS = frozenset([silent.host, healthy.host])
        silent_webhook, _ = add_webhook(project, admin, silent.url)
        add_webhook(project, admin, healthy.url)
        for _ in range(20):
            emit(project)
        try:
            healthy_messages = WebhookMessage.objects.exclude(webhook=silent_webhook)
            run_workers(lambda: is_done(healthy_messages))
        finally:
            released.set()
    assert active[0] <= leasing.MAX_PER_WEBHOOK


def test_it_leases_few_messages_of_each_webhook(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    add_webhook(project, admin, URL)
    for _ in range(10):
        emit(project)
    leased = Counter(message.webhook_id for message in leasing.lease(100, Counter()))
    assert list(leased.values()) == [leasing.MAX_PER_WEBHOOK] * 2
    assert leasing.lease(100, leased) == []


def test_it_sends_one_message_at_a_time_to_a_failing_endpoint(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    first = emit(project)
    emit(project)
    for _ in range(schedule.FAILURE_THRESHOLD):
        first = fail(first)
    webhook = first.webhook
    assert webhook.open_until is not None
    assert webhook.open_until > clock.now()
    assert leasing.lease(10, Counter()) == []
    Webhook.objects.update(open_until=clock.now())
    WebhookMessage.objects.update(due_at=clock.now())
    assert len(leasing.lease(10, Counter())) == 1
    assert leasing.lease(10, Counter()) == []


def test_it_brings_waiting_messages_forward_after_a_success(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    message = emit(project)
    for _ in range(schedule.FAILURE_THRESHOLD):
        fail(message)
    Webhook.objects.update(open_until=None)
    emit(project)
    (probe,) = leasing.lease(10, Counter())
    results.record_result(SendResult(probe, clock.now(), 1, "accepted", is_success=True, status=200))

    assert Webhook.objects.get().failures == 0
    assert len(leasing.lease(10, Counter())) == 1


def test_it_waits_as_long_as_an_endpoint_asks(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    message = fail(emit(project), status=429, retry_after=600.0)
    assert timedelta(seconds=590) < message.due_at - clock.now() <= timedelta(seconds=600)
    assert message.webhook.open_until is not None


def test_it_parks_a_message_after_days_of_failures(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    message = emit(project)
    WebhookMessage.objects.update(failures=20, trying_since=clock.now() - schedule.GIVE_UP_AFTER)
    assert fail(message).state == MessageState.PARKED


def test_it_switches_off_after_days_of_failures(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    message = emit(project)
    Webhook.objects.update(failing_since=clock.now() - schedule.SWITCH_OFF_AFTER)
    webhook = fail(message).webhook

    assert not webhook.is_on
    assert "failed for 5 days" in webhook.off_reason
    assert AuditEvent.objects.filter(actor_name="worker", verb="switched off webhook").count() == 1
    project.refresh_from_db()
    assert outbox.emit(project, Event.QUEUE_COMPLETED, {}) == 0
    assert leasing.lease(10, Counter()) == []


def test_it_switches_off_an_endpoint_that_is_gone(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    assert "410 Gone" in fail(emit(project), status=410).webhook.off_reason


def test_it_deletes_old_messages_with_their_attempts(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    fail(emit(project))
    recent = emit(project)
    old = WebhookMessage.objects.exclude(pk=recent.pk)
    old.update(created_at=clock.now() - schedule.RETENTION)

    assert leasing.delete_old() == 1
    assert WebhookMessage.objects.get() == recent
    assert not WebhookAttempt.objects.exists()


def test_it_corrects_due_times_after_the_clock_was_set_back(project: Project, admin: User) -> None:
    add_webhook(project, admin, URL)
    emit(project)
    WebhookMessage.objects.update(due_at=clock.now() + timedelta(hours=1))
    leasing.bring_forward(timedelta(hours=1))
    assert len(leasing.lease(10, Counter())) == 1


@pytest.mark.django_db(transaction=True)
def test_it_holds_messages_while_deliveries_are_paused(project: Project, secret: str, endpoint: Endpoint) -> None:
    emit(project)
    restore_guard.pause_delivery(restore_guard.projects_with_unfinished_deliveries(), "worker")
    send_due()
    assert endpoint.requests == []

    restore_guard.resume_delivery(project, "ana")
    send_due()
    assert len(endpoint.requests) == 1
