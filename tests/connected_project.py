"""A project whose Laminar is a real trace store on a socket."""

from uuid import UUID, uuid4

import pytest

from reviewapp.accounts.models import Project
from tests.factories import LaminarKeyFactory, ProjectFactory
from tests.tracestore_server import RunningStore, tracestore

__all__ = ["tracestore"]


@pytest.fixture
def connected_project(transactional_db: None, tracestore: RunningStore) -> Project:
    """A project with the store's full key; what is written is seen by a worker's own connection."""
    return connect_project(tracestore)


@pytest.fixture
def trace_id() -> UUID:
    """An id that no other test uses."""
    return uuid4()


def connect_project(store: RunningStore) -> Project:
    project: Project = ProjectFactory.create(slug="support", base_url=store.url)
    LaminarKeyFactory.create(project=project, secret=store.full_key)
    return project
