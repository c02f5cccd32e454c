"""Shared fixtures: a project with a user in each role, and an outsider who must see none of it."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, Role, User
from reviewapp.queues.models import Queue, QueueItem
from tests.factories import MembershipFactory, ProjectFactory, QueueFactory, QueueItemFactory, UserFactory


@pytest.fixture
def project(db: None) -> Project:
    return ProjectFactory.create(slug="support", name="Support")


@pytest.fixture
def other_project(db: None) -> Project:
    """A project whose only member is the outsider."""
    return ProjectFactory.create(slug="elsewhere", name="Elsewhere")


@pytest.fixture
def reviewer(project: Project) -> User:
    return _create_member(project, "reviewer", Role.REVIEWER)


@pytest.fixture
def colleague(project: Project) -> User:
    """A second reviewer."""
    return _create_member(project, "colleague", Role.REVIEWER)


@pytest.fixture
def lead(project: Project) -> User:
    return _create_member(project, "lead", Role.LEAD)


@pytest.fixture
def admin(project: Project) -> User:
    return _create_member(project, "admin", Role.ADMIN)


@pytest.fixture
def outsider(other_project: Project) -> User:
    """An admin of another project."""
    return _create_member(other_project, "outsider", Role.ADMIN)


@pytest.fixture
def reviewer_client(reviewer: User) -> Client:
    return sign_in_client(reviewer)


@pytest.fixture
def colleague_client(colleague: User) -> Client:
    return sign_in_client(colleague)


@pytest.fixture
def lead_client(lead: User) -> Client:
    return sign_in_client(lead)


@pytest.fixture
def admin_client(admin: User) -> Client:
    return sign_in_client(admin)


@pytest.fixture
def outsider_client(outsider: User) -> Client:
    return sign_in_client(outsider)


@pytest.fixture
def queue(project: Project) -> Queue:
    return QueueFactory.create(project=project, slug="answers", name="Answers")


@pytest.fixture
def item(queue: Queue) -> QueueItem:
    return QueueItemFactory.create(queue=queue)


def sign_in_client(user: User) -> Client:
    """Return a client that is signed in as this user."""
    client = Client()
    client.force_login(user)
    return client


def _create_member(project: Project, username: str, role: str) -> User:
    user: User = UserFactory.create(username=username)
    MembershipFactory.create(project=project, user=user, role=role)
    return user
