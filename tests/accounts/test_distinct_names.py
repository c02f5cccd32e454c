"""People are distinct by name: in any case they are the same person, and none looks like another."""

import pytest
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps
from django.test import Client

from reviewapp.accounts import people
from reviewapp.accounts.models import FailedSignIn, Project, Role, User
from reviewapp.accounts.name_keys import set_keys_of_people, set_keys_of_projects, set_missing_keys
from reviewapp.accounts.sign_in_throttle import MAX_FAILURES
from reviewapp.queues.models import Queue
from tests.factories import PASSWORD, ProjectFactory, QueueFactory, UserFactory

SIGN_IN = "/accounts/login/"


def test_it_finds_a_person_in_any_case(project: Project) -> None:
    first, _ = people.add_person("rosa", project, Role.REVIEWER)
    second, password = people.add_person("ROSA", project, Role.LEAD)

    assert (first, password, second.memberships.get().role) == (second, "", Role.LEAD)


@pytest.mark.parametrize("username", ["rоsa", "ro\u3164sa"])
def test_it_refuses_a_username_that_looks_like_another(project: Project, username: str) -> None:
    people.add_person("rosa", project, Role.REVIEWER)
    with pytest.raises(ValidationError):
        people.add_person(username, project, Role.REVIEWER)

    assert User.objects.count() == 1


@pytest.mark.parametrize("spelling", ["rosa", "Rosa", "ＲＯＳＡ"])
def test_it_signs_in_by_any_case(client: Client, db: None, spelling: str) -> None:
    UserFactory.create(username="Rosa")

    assert client.post(SIGN_IN, {"username": spelling, "password": PASSWORD}).status_code == 302


def test_it_signs_in_the_exact_spelling_first(client: Client, db: None) -> None:
    UserFactory.create(username="rosa")
    second = UserFactory.create(username="Rosa", username_key="rosa\n2")
    client.post(SIGN_IN, {"username": "Rosa", "password": PASSWORD})

    assert client.session["_auth_user_id"] == str(second.pk)


def test_it_counts_failures_of_all_spellings_together(client: Client, db: None) -> None:
    spellings = ["rosa", "ROSA", "Ｒosa", " rosa", "ro\u200bsa"] * (MAX_FAILURES // 5)
    for spelling in spellings:
        client.post(SIGN_IN, {"username": spelling, "password": "wrong"})

    assert FailedSignIn.objects.get(subject__startswith="pair ").count == MAX_FAILURES
    assert client.post(SIGN_IN, {"username": "rOsA", "password": "wrong"}).status_code == 429


def test_it_has_a_constraint_for_each_name(queue: Queue) -> None:
    for factory, fields in (
        (UserFactory, {"username": "other", "username_key": UserFactory.create().username_key}),
        (ProjectFactory, {"name_key": queue.project.name_key}),
        (QueueFactory, {"project": queue.project, "name_key": queue.name_key}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            factory.create(**fields)


@pytest.mark.django_db(transaction=True)
def test_it_keeps_everybody_of_before(capsys: pytest.CaptureFixture[str]) -> None:
    loader = MigrationExecutor(connection).loader
    before = loader.get_migration("reviewapp", "0014_names_are_distinct_and_calls_counted").dependencies
    MigrationExecutor(connection).migrate(before)
    old = loader.project_state(before).apps
    for username in ("rosa", "Rosa", "ROSA", "anna"):
        old.get_model("reviewapp", "User").objects.create(username=username, password="")
    for slug in ("one", "two"):
        project = old.get_model("reviewapp", "Project").objects.create(slug=slug, name="Support", base_url="")
        old.get_model("reviewapp", "Queue").objects.create(project=project, slug="a", name="Answers")
        old.get_model("reviewapp", "Queue").objects.create(project=project, slug="b", name="answers")
    MigrationExecutor(connection).migrate(loader.graph.leaf_nodes())

    keys = dict(User.objects.values_list("username", "username_key"))
    assert (keys["rosa"], keys["anna"], len(set(keys.values()))) == ("rosa", "anna", 4)
    assert sorted(Project.objects.values_list("name", flat=True)) == ["Support", "Support"]
    assert Queue.objects.filter(name_key="answers").count() == 2
    assert Queue.objects.filter(name="answers").count() == 2
    output = capsys.readouterr().err
    assert "“ROSA” is the same name as “rosa”; people sign in by the exact spelling" in output
    assert output.count("is the same name as") == 2 + 1 + 2


@pytest.fixture
def earlier(db: None) -> StateApps:
    """The models of the release before names had keys, on the database of now: it runs on until it is restarted."""
    loader = MigrationExecutor(connection).loader
    before = loader.get_migration("reviewapp", "0014_names_are_distinct_and_calls_counted").dependencies
    return loader.project_state(before).apps


def create_rows(earlier: StateApps) -> None:
    earlier.get_model("reviewapp", "User").objects.create(username="Rosa", password=make_password(PASSWORD))
    project = earlier.get_model("reviewapp", "Project").objects.create(slug="one", name="Support", base_url="")
    earlier.get_model("reviewapp", "Queue").objects.create(project=project, slug="a", name="Answers")


def test_it_lets_an_earlier_release_create_people_projects_and_queues(earlier: StateApps, client: Client) -> None:
    create_rows(earlier)

    assert client.post(SIGN_IN, {"username": "Rosa", "password": PASSWORD}).status_code == 302
    assert (Project.objects.get().name, Queue.objects.get().name) == ("Support", "Answers")


def test_it_adds_the_keys_of_names_that_an_earlier_release_created(earlier: StateApps) -> None:
    UserFactory.create(username="ROSA")
    create_rows(earlier)
    set_keys_of_people()
    set_keys_of_projects()
    set_missing_keys(Queue, "name")

    second = User.objects.get(username="Rosa")
    assert (second.username_key, Project.objects.get().name_key) == (f"rosa\n{second.pk}", "support")
    assert Queue.objects.get().name_key == "answers"
