"""One fake Laminar and one fork server for all fault tests; each test has its own traces and workers."""

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
    with run_fake_laminar(tmp_path_factory.mktemp("fake-laminar")) as fake_laminar:
        yield fake_laminar


@pytest.fixture
def fake_laminar(session_laminar: FakeLaminar) -> Iterator[FakeLaminar]:
    """A healthy Laminar until the test sets rules; its log is emptied before the test."""
    session_laminar.log_path.write_text("")
    session_laminar.set_rules(keys=None)
    yield session_laminar
    session_laminar.set_rules(keys=None)


@pytest.fixture(scope="session")
def fork_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with run_fork_server(tmp_path_factory.mktemp("fork-server")) as fork_server:
        yield fork_server


@pytest.fixture
def workers(transactional_db: None, fork_server: ForkServer) -> Iterator[Workers]:
    """Start workers with this; all of them are killed after the test."""
    workers = Workers(fork_server)
    yield workers
    workers.kill()


@pytest.fixture
def project(transactional_db: None, fake_laminar: FakeLaminar) -> Project:
    """A project that delivers to the fake Laminar with a full key."""
    project: Project = ProjectFactory.create(slug="support", base_url=fake_laminar.url)
    LaminarKeyFactory.create(project=project)
    return project


@pytest.fixture
def web(transactional_db: None, fork_server: ForkServer) -> Iterator[Web]:
    """The running web app, without failpoints."""
    with run_web(fork_server) as web:
        yield web


def make_reviewer(web: Web, items: int = 1) -> Reviewer:
    """Create a queue and a reviewer for it, in a project whose Laminar is unreachable."""
    create_test_data(UNREACHABLE_URL, items, people=2)
    return Reviewer(web.url, "reviewer-0", list(QueueItem.objects.values_list("pk", flat=True)), threading.Event())
