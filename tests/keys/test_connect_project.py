"""Connect a project to its Laminar: nothing is written before Laminar has accepted the key."""

from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent
from reviewapp.keys import laminar_keys
from reviewapp.keys.models import LaminarKey
from tests.tracestore_server import RunningStore

pytestmark = pytest.mark.django_db


def connect(store: RunningStore, slug: str = "support", name: str = "Support", **changes: str) -> Project:
    values = {"base_url": store.url, "ui_url": "", "secret": store.full_key, **changes}
    return laminar_keys.connect_project(slug, name, values["base_url"], values["ui_url"], values["secret"], "command")


def test_it_creates_a_project(tracestore: RunningStore) -> None:
    connect(tracestore, ui_url="https://laminar.test/")
    project = Project.objects.get()

    assert (project.slug, project.name, project.base_url) == ("support", "Support", tracestore.url)
    assert (project.ui_url, project.laminar_id) == ("https://laminar.test", UUID(tracestore.project_id))
    assert [event.verb for event in AuditEvent.objects.order_by("seq")] == ["replaced Laminar key", "created project"]


def test_it_links_to_a_trace_in_laminar(tracestore: RunningStore) -> None:
    trace_id = uuid4()
    project = connect(tracestore, ui_url="https://laminar.test")
    project.refresh_from_db()

    assert project.trace_url(trace_id) == f"https://laminar.test/project/{tracestore.project_id}/traces/{trace_id}"


def test_it_changes_a_project(project: Project, tracestore: RunningStore) -> None:
    connect(tracestore, name="Support team")
    project.refresh_from_db()

    assert (project.name, project.base_url) == ("Support team", tracestore.url)
    assert AuditEvent.objects.latest("seq").verb == "changed project"


def test_it_clears_the_laminar_id_after_moving_to_another_laminar(project: Project, tracestore: RunningStore) -> None:
    Project.objects.update(laminar_id=uuid4())
    connect(tracestore, secret=tracestore.ingest_key)
    project.refresh_from_db()

    assert project.laminar_id is None


def test_it_refuses_another_project_of_the_same_laminar(tracestore: RunningStore) -> None:
    connect(tracestore)
    Project.objects.update(laminar_id=uuid4())
    keys = list(LaminarKey.objects.values())

    with pytest.raises(laminar_keys.KeyNotStored, match="another Laminar project"):
        connect(tracestore, name="Changed")
    assert Project.objects.get().name == "Support"
    assert list(LaminarKey.objects.values()) == keys


INVALID_URLS = [
    "", "ftp://laminar.test", "file:///etc/passwd", "javascript:alert(1)", "https://user:secret@laminar.test",
    "https://", "http://127.0.0.1:99999", "http://10.0.0.1", "http://169.254.169.254", "http://[::1]:8000",
]  # fmt: skip


@pytest.mark.parametrize("base_url", INVALID_URLS)
def test_it_refuses_an_invalid_base_url(tracestore: RunningStore, base_url: str) -> None:
    with pytest.raises(laminar_keys.KeyNotStored, match=r"[Nn]othing was changed"):
        connect(tracestore, base_url=base_url)

    assert not Project.objects.exists()


@pytest.mark.parametrize("ui_url", ["javascript:alert(1)", "laminar", "https://laminar.test/?a=1", "//laminar.test"])
def test_it_refuses_an_invalid_ui_url(tracestore: RunningStore, ui_url: str) -> None:
    with pytest.raises(laminar_keys.KeyNotStored, match="Nothing was changed"):
        connect(tracestore, ui_url=ui_url)

    assert not Project.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"slug": "Two Words"}, {"slug": ""}, {"slug": "-a"}, {"slug": "a\n"}, {"name": ""}, {"name": "x" * 121}]
)
def test_it_refuses_an_invalid_slug_or_name(tracestore: RunningStore, changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        connect(tracestore, **changes)

    assert not Project.objects.exists()


def test_it_refuses_a_key_when_laminar_refuses_it(tracestore: RunningStore) -> None:
    with pytest.raises(laminar_keys.KeyNotStored, match="nothing was changed"):
        connect(tracestore, secret="unknown-there")

    assert not Project.objects.exists()
