"""One sink and one nursery for all tests of faults; each test has traces and workers of its own."""

import threading
from collections.abc import Iterator

import pytest

from reviewapp.accounts.models import Project
from reviewapp.queues.models import QueueItem
from tests.factories import LaminarKeyFactory, ProjectFactory
from tests.faults.database_state import furnish
from tests.faults.processes import Nursery, Sink, Web, Workers, a_nursery, a_sink, a_web
from tests.faults.reviewers import Person

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def session_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    with a_sink(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.fixture
def sink(session_sink: Sink) -> Iterator[Sink]:
    """A Laminar in good health until it is told otherwise; its log begins with the test."""
    session_sink.path.write_text("")
    session_sink.tell(keys=None)
    yield session_sink
    session_sink.tell(keys=None)


@pytest.fixture(scope="session")
def nursery(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with a_nursery(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture
def workers(transactional_db: None, nursery: Nursery) -> Iterator[Workers]:
    """Starts workers; none survives the test."""
    workers = Workers(nursery)
    yield workers
    workers.kill()


@pytest.fixture
def project(transactional_db: None, sink: Sink) -> Project:
    """A project at the sink, with a full key."""
    project: Project = ProjectFactory.create(slug="support", base_url=sink.url)
    LaminarKeyFactory.create(project=project)
    return project


@pytest.fixture
def web(transactional_db: None, nursery: Nursery) -> Iterator[Web]:
    """The web app in good health."""
    with a_web(nursery) as web:
        yield web


def person_at(web: Web, items: int = 1) -> Person:
    """Somebody at work on a new queue, whose Laminar is never reached."""
    furnish(NOWHERE, items, people=2)
    return Person(web.url, "reviewer-0", list(QueueItem.objects.values_list("pk", flat=True)), threading.Event())
