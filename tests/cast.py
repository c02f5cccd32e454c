"""The people and things every test knows: a project with all its roles, and an outsider who must see none of it."""

import pytest
from django.test import Client

from reviewapp.accounts.models import Project, Role, User
from reviewapp.queues.models import Queue, QueueItem
from tests.factories import MembershipFactory, ProjectFactory, QueueFactory, QueueItemFactory, UserFactory


@pytest.fixture
def project(db: None) -> Project:
    return ProjectFactory.create(slug="support", name="Support")


@pytest.fixture
def elsewhere(db: None) -> Project:
    """A project that only the outsider belongs to."""
    return ProjectFactory.create(slug="elsewhere", name="Elsewhere")


@pytest.fixture
def reviewer(project: Project) -> User:
    return _member(project, "reviewer", Role.REVIEWER)


@pytest.fixture
def colleague(project: Project) -> User:
    """A second reviewer."""
    return _member(project, "colleague", Role.REVIEWER)


@pytest.fixture
def lead(project: Project) -> User:
    return _member(project, "lead", Role.LEAD)


@pytest.fixture
def admin(project: Project) -> User:
    return _member(project, "admin", Role.ADMIN)


@pytest.fixture
def outsider(elsewhere: Project) -> User:
    """An admin, but of another project."""
    return _member(elsewhere, "outsider", Role.ADMIN)


@pytest.fixture
def reviewer_client(reviewer: User) -> Client:
    return signed_in(reviewer)


@pytest.fixture
def colleague_client(colleague: User) -> Client:
    return signed_in(colleague)


@pytest.fixture
def lead_client(lead: User) -> Client:
    return signed_in(lead)


@pytest.fixture
def admin_client(admin: User) -> Client:
    return signed_in(admin)


@pytest.fixture
def outsider_client(outsider: User) -> Client:
    return signed_in(outsider)


@pytest.fixture
def queue(project: Project) -> Queue:
    return QueueFactory.create(project=project, slug="answers", name="Answers")


@pytest.fixture
def item(queue: Queue) -> QueueItem:
    return QueueItemFactory.create(queue=queue)


def signed_in(user: User) -> Client:
    """A client of this person, past the sign-in page."""
    client = Client()
    client.force_login(user)
    return client


def _member(project: Project, username: str, role: str) -> User:
    user: User = UserFactory.create(username=username)
    MembershipFactory.create(project=project, user=user, role=role)
    return user
