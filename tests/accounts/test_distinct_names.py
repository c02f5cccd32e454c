"""People are distinct by name: in any case they are the same person, and none looks like another."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client

from reviewapp.accounts import people
from reviewapp.accounts.models import FailedSignIn, Project, Role, User
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

    assert FailedSignIn.objects.get().count == MAX_FAILURES
    assert client.post(SIGN_IN, {"username": "rOsA", "password": "wrong"}).status_code == 429


def test_it_has_a_constraint_for_each_name(queue: Queue) -> None:
    for factory, fields in (
        (UserFactory, {"username": "other", "username_key": UserFactory.create().username_key}),
        (ProjectFactory, {"name_key": queue.project.name_key}),
        (QueueFactory, {"project": queue.project, "name_key": queue.name_key}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            factory.create(**fields)


def test_it_keeps_everybody_of_before(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    for number, username in enumerate(["rosa", "Rosa", "ROSA", "anna"]):
        UserFactory.create(username=username, username_key=f"before {number}")
    migration = import_module("reviewapp.migrations.0014_names_are_distinct_and_calls_counted")
    migration.set_keys(apps, SimpleNamespace(connection=connection))

    keys = dict(User.objects.values_list("username", "username_key"))
    assert (keys["rosa"], keys["anna"], len(set(keys.values()))) == ("rosa", "anna", 4)
    assert "“ROSA” is the same name as “rosa”" in capsys.readouterr().err
