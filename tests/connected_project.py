"""A project connected to a real trace store over HTTP."""

from uuid import UUID, uuid4

import pytest

from reviewapp.accounts.models import Project
from tests.factories import LaminarKeyFactory, ProjectFactory
from tests.tracestore_server import RunningStore, tracestore

__all__ = ["tracestore"]


@pytest.fixture
def connected_project(transactional_db: None, tracestore: RunningStore) -> Project:
    """A project with the store's full key; rows are committed, so that a worker's own connection sees them."""
    return connect_project(tracestore)


@pytest.fixture
def trace_id() -> UUID:
    """A trace id unique to the test."""
    return uuid4()


def connect_project(store: RunningStore) -> Project:
    project: Project = ProjectFactory.create(slug="support", base_url=store.url)
    LaminarKeyFactory.create(project=project, secret=store.full_key)
    return project
