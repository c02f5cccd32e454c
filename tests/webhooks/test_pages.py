"""The pages of webhooks: create, test, rotate, switch, retry, delete."""

import re
from typing import Any

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, User
from reviewapp.audit.models import AuditEvent
from reviewapp.lib import clock
from reviewapp.webhooks import outbox, subscriptions
from reviewapp.webhooks.models import Event, MessageState, Webhook, WebhookMessage
from tests.queries import count_queries
from tests.webhooks.conftest import Endpoint, add_webhook

URL = "/p/support/webhooks/"
ADDRESS = "https://93.184.216.34/hooks"
FIELDS = {"url": ADDRESS, "shape": "standard", "events": ["queue.completed"], "queue": ""}


def create(client: Client, **fields: object) -> Any:
    return client.post(f"{URL}new/", {**FIELDS, **fields})


@pytest.fixture
def webhook(project: Project, admin: User) -> Webhook:
    return add_webhook(project, admin, ADDRESS)[0]


def test_it_shows_the_secret_once(project: Project, admin_client: Client) -> None:
    content = create(admin_client).content.decode()
    (secret,) = re.findall(r"whsec_[\w+/]{43}=", content)
    webhook = Webhook.objects.get()

    assert webhook.secret == secret
    assert secret not in webhook.encrypted_secret
    assert secret not in admin_client.get(f"{URL}{webhook.pk}/").content.decode()
    assert "hooks" not in AuditEvent.objects.get(verb="created webhook").detail


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"url": "http://127.0.0.1:8000/hooks"}, "private or reserved"),
        ({"url": "http://169.254.169.254/latest?x=1"}, "private or reserved"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "private or reserved"),
        ({"url": "ftp://example.com/"}, "starts with https://"),
        ({"url": "https://a:b@example.com/"}, "user name or password"),
        ({"url": "https://no-such-name.invalid/"}, "could not be found"),
        ({"url": "https://93.184.216.34/\x00"}, ""),
        ({"url": ""}, "Enter the URL"),
        ({"events": []}, "Choose at least one event"),
        ({"events": ["webhook.test"]}, "not one of the available choices"),
        ({"queue": "no-such-queue"}, "not one of the available choices"),
        ({"shape": "xml"}, "not one of the available choices"),
    ],
)
def test_it_refuses_a_form_and_keeps_what_was_typed(
    admin_client: Client, project: Project, fields: dict[str, object], sentence: str
) -> None:
    response = create(admin_client, **fields)
    content = response.content.decode()

    assert response.status_code == 422
    assert sentence in content
    assert not Webhook.objects.exists()
    assert "queue.completed" in content


def test_it_refuses_too_many(project: Project, admin: User, admin_client: Client) -> None:
    for _ in range(subscriptions.MAX_WEBHOOKS):
        add_webhook(project, admin, ADDRESS)
    response = create(admin_client)
    assert response.status_code == 422
    assert "A project can have 20 webhooks" in response.content.decode()


def test_it_sends_a_test_message(webhook: Webhook, admin_client: Client) -> None:
    response = admin_client.post(f"{URL}{webhook.pk}/test/")
    message = WebhookMessage.objects.get()

    assert response["Location"] == f"{URL}{webhook.pk}/messages/{message.pk}/"
    assert message.event == Event.TEST
    page = admin_client.get(response["Location"]).content.decode()
    assert "No attempts yet" in page
    assert "every 2s" in page


def test_it_shows_the_answer(webhook: Webhook, admin_client: Client) -> None:
    admin_client.post(f"{URL}{webhook.pk}/test/")
    message = WebhookMessage.objects.get()
    message.attempts.create(at=clock.now(), milliseconds=12, status=500, outcome="It failed.", answer="<b>no</b>")
    page = admin_client.get(f"{URL}{webhook.pk}/messages/{message.pk}/").content.decode()

    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "12 ms" in page


def test_it_sends_no_test_while_it_is_off(webhook: Webhook, admin: User, admin_client: Client) -> None:
    subscriptions.switch_off(webhook, admin)
    admin_client.post(f"{URL}{webhook.pk}/test/")
    assert not WebhookMessage.objects.exists()
    assert "switched off" in admin_client.get(f"{URL}{webhook.pk}/").content.decode()


def test_it_changes_what_is_sent(webhook: Webhook, project: Project, admin_client: Client) -> None:
    admin_client.post(f"{URL}{webhook.pk}/change/", {**FIELDS, "shape": "slack"})
    webhook.refresh_from_db()
    project.refresh_from_db()
    assert (webhook.shape, webhook.events, project.webhook_events) == ("slack", "queue.completed", "queue.completed")


def test_it_rotates_the_secret(webhook: Webhook, admin_client: Client) -> None:
    old = webhook.secret
    content = admin_client.post(f"{URL}{webhook.pk}/rotate/").content.decode()
    webhook.refresh_from_db()
    assert webhook.secrets == [re.findall(r"whsec_[\w+/]{43}=", content)[0], old]


def test_it_switches_off_and_on(webhook: Webhook, project: Project, admin_client: Client) -> None:
    admin_client.post(f"{URL}{webhook.pk}/switch/", {"is_on": "false"})
    project.refresh_from_db()
    assert project.webhook_events == ""
    admin_client.post(f"{URL}{webhook.pk}/switch/", {"is_on": "true"})
    project.refresh_from_db()
    assert "queue.completed" in project.webhook_events


def test_it_says_why_it_was_switched_off(webhook: Webhook, admin_client: Client) -> None:
    subscriptions.switch_off(webhook, "worker", "The endpoint answered 410 Gone.")
    assert "The endpoint answered 410 Gone." in admin_client.get(f"{URL}{webhook.pk}/").content.decode()


def test_it_retries_parked_messages(webhook: Webhook, project: Project, admin_client: Client) -> None:
    outbox.emit(project, Event.QUEUE_COMPLETED, {})
    WebhookMessage.objects.update(state=MessageState.PARKED)
    admin_client.post(f"{URL}{webhook.pk}/retry/")
    assert WebhookMessage.objects.get().state == MessageState.WAITING


def test_it_sends_one_message_again(webhook: Webhook, project: Project, admin_client: Client) -> None:
    outbox.emit(project, Event.QUEUE_COMPLETED, {})
    outbox.emit(project, Event.QUEUE_COMPLETED, {})
    WebhookMessage.objects.update(state=MessageState.DELIVERED)
    first = WebhookMessage.objects.order_by("pk")[0]
    admin_client.post(f"{URL}{webhook.pk}/messages/{first.pk}/retry/")
    assert WebhookMessage.objects.get(state=MessageState.WAITING) == first


def test_it_deletes_a_webhook(webhook: Webhook, project: Project, admin_client: Client) -> None:
    outbox.emit(project, Event.QUEUE_COMPLETED, {})
    assert (
        "including\n      1 that was not delivered" in admin_client.get(f"{URL}{webhook.pk}/delete/").content.decode()
    )
    admin_client.post(f"{URL}{webhook.pk}/delete/")
    project.refresh_from_db()
    assert not WebhookMessage.objects.exists()
    assert project.webhook_events == ""


def test_it_runs_the_same_queries_for_more_rows(webhook: Webhook, project: Project, admin_client: Client) -> None:
    outbox.emit(project, Event.QUEUE_COMPLETED, {})
    before = count_queries(lambda: admin_client.get(f"{URL}{webhook.pk}/"))
    for _ in range(60):
        outbox.emit(project, Event.QUEUE_COMPLETED, {})
    assert count_queries(lambda: admin_client.get(f"{URL}{webhook.pk}/")) == before


def test_it_allows_a_host_of_the_operator(endpoint: Endpoint, project: Project, admin_client: Client) -> None:
    assert create(admin_client, url=endpoint.url).status_code == 200
    assert Webhook.objects.get().url == endpoint.url
