"""What is in the database of a run, and what a person or the passing of time does to it."""

from collections.abc import Callable
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.test import Client

from benchmarks.browser import Browser
from reviewapp.accounts.models import Project, User
from reviewapp.delivery import outbox
from reviewapp.delivery.models import Breaker, Patch, State
from reviewapp.keys.laminar_keys import replace_key
from reviewapp.lib import clock
from tests.factories import (
    LaminarKeyFactory,
    MembershipFactory,
    ProjectFactory,
    QueueFactory,
    QueueItemFactory,
    UserFactory,
)

CSRF_TOKEN = "c" * 32


def create_test_data(url: str, items: int, people: int) -> Project:
    """A project at a Laminar, a queue of so many items, and people called reviewer-0, reviewer-1 …"""
    project: Project = ProjectFactory.create(slug="support", base_url=url)
    LaminarKeyFactory.create(project=project)
    queue = QueueFactory.create(project=project, slug="answers")
    QueueItemFactory.create_batch(items, queue=queue)
    for number in range(people):
        MembershipFactory.create(project=project, user=UserFactory.create(username=f"reviewer-{number}"))
    return project


def signed_in_browser(name: str, url: str) -> Browser:
    """The browser of somebody who is signed in at the app with this address."""
    client = Client()
    client.force_login(User.objects.get(username=name))
    return Browser(url, {"sessionid": client.cookies["sessionid"].value, "csrftoken": CSRF_TOKEN})


def expire_leases() -> None:
    """Twenty seconds pass for the leases of dead workers. None may be alive."""
    Patch.objects.filter(state=State.SENDING).update(leased_until=clock.now() - timedelta(seconds=1))


def make_all_due() -> None:
    """As long a time passes as any row that is on its way waits for."""
    Patch.objects.filter(state__in=[State.WAITING, State.ACCEPTED]).update(due_at=clock.now())
    Breaker.objects.filter(refused_key=None).update(open_until=None)


def without_waiting(holds: Callable[[], bool]) -> Callable[[], bool]:
    """The same question, time passing each time it is asked."""

    def asked() -> bool:
        make_all_due()
        return holds()

    return asked


def unblock_patches() -> None:
    """What a person does about what waits for one: gives a new key where one was refused, sends parked rows again."""
    for project in Project.objects.exclude(breaker=None).exclude(breaker__refused_key=None):
        replace_key(project, f"another-key-{clock.now().timestamp():.6f}", "admin")
    for project in Project.objects.filter(Exists(Patch.objects.filter(project=OuterRef("pk"), state=State.PARKED))):
        parked = Patch.objects.filter(project=project, state=State.PARKED).values_list("pk", flat=True)
        outbox.retry(project, list(parked), "lead")


def is_settled() -> bool:
    """Whether every patch has come to its end."""
    return not Patch.objects.exclude(state__in=[State.CONFIRMED, State.SUPERSEDED]).exists()
