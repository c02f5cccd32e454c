"""A project whose Laminar is a real trace store."""

import pytest

from reviewapp.accounts.models import Project
from tests.tracestore_server import RunningStore, tracestore

__all__ = ["tracestore"]


@pytest.fixture
def connected_project(project: Project, tracestore: RunningStore) -> Project:
    """The project with the store as its Laminar, without a key yet."""
    project.base_url = tracestore.url
    project.save(update_fields=["base_url"])
    return project
