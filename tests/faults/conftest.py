"""One sink and one nursery for all tests of faults; each test has traces and workers of its own."""

import threading
from collections.abc import Iterator

import pytest

from reviewapp.accounts.models import Project
from reviewapp.queues.models import QueueItem
from tests.factories import LaminarKeyFactory, ProjectFactory
from tests.faults.database_state import create_test_data
from tests.faults.processes import FakeLaminar, ForkServer, Web, Workers, run_fake_laminar, run_fork_server, run_web
from tests.faults.reviewers import Reviewer

UNREACHABLE_URL = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def session_laminar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeLaminar]:
    with run_fake_laminar(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.fixture
def fake_laminar(session_laminar: FakeLaminar) -> Iterator[FakeLaminar]:
    """A Laminar in good health until it is told otherwise; its log begins with the test."""
    session_laminar.path.write_text("")
    session_laminar.set_rules(keys=None)
    yield session_laminar
    session_laminar.set_rules(keys=None)


@pytest.fixture(scope="session")
def fork_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with run_fork_server(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture
def workers(transactional_db: None, fork_server: ForkServer) -> Iterator[Workers]:
    """Starts workers; none survives the test."""
    workers = Workers(fork_server)
    yield workers
    workers.kill()


@pytest.fixture
def project(transactional_db: None, fake_laminar: FakeLaminar) -> Project:
    """A project at the sink, with a full key."""
    project: Project = ProjectFactory.create(slug="support", base_url=fake_laminar.url)
    LaminarKeyFactory.create(project=project)
    return project


@pytest.fixture
def web(transactional_db: None, fork_server: ForkServer) -> Iterator[Web]:
    """The web app in good health."""
    with run_web(fork_server) as web:
        yield web


def make_reviewer_at(web: Web, items: int = 1) -> Reviewer:
    """Somebody at work on a new queue, whose Laminar is never reached."""
    create_test_data(UNREACHABLE_URL, items, people=2)
    return Reviewer(web.url, "reviewer-0", list(QueueItem.objects.values_list("pk", flat=True)), threading.Event())
