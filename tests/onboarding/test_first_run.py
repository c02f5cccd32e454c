"""The first run: the link, the first admin, the first project and queue."""

from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.audit.models import AuditEvent
from reviewapp.keys.models import LaminarKey
from reviewapp.onboarding import setup_links
from reviewapp.onboarding.models import SetupLink
from reviewapp.onboarding.queue_templates import TEMPLATES, QueueTemplate, create_from_template
from reviewapp.people.links import LinkError
from reviewapp.queues.models import Queue
from tests.cast import sign_in_client
from tests.connected_project import tracestore
from tests.factories import TraceFactory, UserFactory
from tests.threads import run_concurrently
from tests.tracestore_server import RunningStore

__all__ = ["tracestore"]
NEW = "seven quiet lamps at noon"


@pytest.fixture
def path(db: None) -> str:
    return setup_links.make_setup_link()


def sign_up(client: Client, path: str, **changes: str) -> Any:
    return client.post(path, {"username": "ana", "name": "Ana", "password": NEW, "again": NEW, **changes})


def test_it_makes_the_first_person_and_signs_them_in(client: Client, path: str) -> None:
    response = sign_up(client, path)

    assert response["Location"] == "/"
    assert client.get("/")["Location"] == "/setup/connect/"
    assert User.objects.get().username == "ana"


def test_it_stores_only_a_hash_of_the_link(path: str) -> None:
    assert SetupLink.objects.get().digest not in path


def test_it_makes_no_link_once_there_is_a_person(db: None) -> None:
    UserFactory.create()

    assert setup_links.make_setup_link() == ""
    assert setup_links.describe_setup_link("http://127.0.0.1:8080") == ""


def test_it_works_once(client: Client, path: str) -> None:
    sign_up(client, path)
    response = sign_up(Client(), path, username="bo")

    assert "This review desk is set up" in response.text
    assert User.objects.count() == 1


def test_it_ends_the_links_of_other_nodes(client: Client, path: str) -> None:
    other = setup_links.make_setup_link()
    sign_up(client, path)
    User.objects.all().delete()

    assert client.get(other).status_code == 404


def test_it_expires(client: Client, path: str) -> None:
    with time_machine.travel(SetupLink.objects.get().expires_at, tick=False):
        assert client.get(path).status_code == 404
        assert sign_up(client, path).status_code == 404
    assert not User.objects.exists()


def test_it_keeps_what_was_typed_when_the_password_is_weak(client: Client, path: str) -> None:
    response = sign_up(client, path, password="password", again="password")

    assert response.status_code == 422
    assert 'value="ana"' in response.text
    assert sign_up(client, path).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_first_admin_of_two_at_once() -> None:
    secrets = [setup_links.make_setup_link().split("/")[-2] for _ in range(2)]

    def join(number: int) -> bool:
        try:
            setup_links.create_first_admin(secrets[number], f"person{number}", "", NEW)
        except LinkError:
            return False
        return True

    outcomes = run_concurrently([lambda: join(0), lambda: join(1)])
    assert sorted(outcomes) == [False, True]
    assert User.objects.count() == 1


def test_it_makes_the_first_person_admin_of_projects_made_by_command(client: Client, project: Project) -> None:
    sign_up(client, setup_links.make_setup_link())

    assert Membership.objects.get().role == Role.ADMIN
    assert AuditEvent.objects.filter(verb="joined").count() == 1


def test_it_connects_the_first_project(client: Client, path: str, tracestore: RunningStore) -> None:
    sign_up(client, path)
    form = {"name": "Checkout bot", "base_url": tracestore.url, "key": tracestore.full_key}
    response = client.post("/setup/connect/", form)

    assert response["Location"] == "/p/checkout-bot/setup/"
    assert LaminarKey.objects.get().project.slug == "checkout-bot"
    assert Membership.objects.get().role == Role.ADMIN


def test_it_says_what_is_wrong_with_a_key(client: Client, path: str, tracestore: RunningStore) -> None:
    sign_up(client, path)
    form = {"name": "Checkout bot", "base_url": tracestore.url, "key": "wrongkeywithenoughletters"}
    response = client.post("/setup/connect/", form)

    assert response.status_code == 422
    assert "The key does not work, so nothing was changed." in response.text
    assert "Checkout bot" in response.text
    assert "wrongkey" not in response.text
    assert not Project.objects.exists()


@pytest.mark.parametrize("address", ["", "nonsense", "http://[::1", "ftp://a.example", "http://169.254.169.254"])
def test_it_refuses_an_address(client: Client, path: str, address: str) -> None:
    sign_up(client, path)
    form = {"name": "Checkout bot", "base_url": address, "key": "a1b2c3d4e5f6g7h8i9j0"}

    assert client.post("/setup/connect/", form).status_code == 422
    assert not Project.objects.exists()


def test_it_uses_the_embedded_store(client: Client, path: str, tracestore: RunningStore, settings: Settings) -> None:
    settings.EMBEDDED_STORE_URL, settings.EMBEDDED_STORE_KEY = tracestore.url, tracestore.full_key
    sign_up(client, path)
    assert "Use the embedded store" in client.get("/setup/connect/").text
    client.post("/setup/connect/", {"embedded": "1", "name": ""})

    assert Project.objects.get().base_url == tracestore.url


def test_it_connects_only_the_first_project(outsider: User) -> None:
    newcomer = sign_in_client(UserFactory.create())

    assert newcomer.get("/setup/connect/")["Location"] == "/"
    assert newcomer.post("/setup/connect/", {"name": "x"})["Location"] == "/"


def test_it_fills_the_first_queue_with_the_chosen_traces(admin_client: Client, project: Project) -> None:
    _, second = TraceFactory.create_batch(2, project=project)
    assert admin_client.get("/p/support/setup/").text.count(" checked") == 3
    form = {"template": "pass-fail", "trace": [str(second.trace_id), "not an id"]}
    response = admin_client.post("/p/support/setup/", form)

    assert response["Location"] == "/p/support/queues/pass-fail/review/"
    assert list(Queue.objects.get().items.values_list("trace_id", flat=True)) == [second.trace_id]


def test_it_refuses_an_unknown_template_and_keeps_the_choice(admin_client: Client, project: Project) -> None:
    TraceFactory.create_batch(2, project=project)
    response = admin_client.post("/p/support/setup/", {"template": "\x00"})

    assert response.status_code == 422
    assert " checked" not in response.text
    assert not Queue.objects.exists()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.slug)
def test_it_creates_a_queue_from_each_template(template: QueueTemplate, project: Project) -> None:
    queue = create_from_template(project, template, "admin")

    assert queue.guideline
    assert queue.question


def test_it_names_the_address_that_people_open(settings: Settings) -> None:
    assert setup_links.get_origin("0.0.0.0:80") == "http://127.0.0.1:80"
    settings.IS_PRODUCTION, settings.ALLOWED_HOSTS = True, ["desk.example.com"]
    assert setup_links.get_origin("127.0.0.1:8080") == "https://desk.example.com"


def test_it_shows_the_tour_until_it_is_dismissed(reviewer_client: Client, settings: Settings) -> None:
    settings.IS_DEMO = True
    assert "/p/support/tour/" in reviewer_client.get("/p/support/").text
    reviewer_client.post("/p/support/tour/dismiss/")
    assert "/p/support/tour/" not in reviewer_client.get("/p/support/").text
