"""Create and change the database of a run: test data, elapsed time, and actions of leads and admins."""

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
    """Create a project for this Laminar URL, a queue with this many items, and users reviewer-0, reviewer-1 …"""
    project: Project = ProjectFactory.create(slug="support", base_url=url)
    LaminarKeyFactory.create(project=project)
    queue = QueueFactory.create(project=project, slug="answers")
    QueueItemFactory.create_batch(items, queue=queue)
    for number in range(people):
        MembershipFactory.create(project=project, user=UserFactory.create(username=f"reviewer-{number}"))
    return project


def signed_in_browser(name: str, url: str) -> Browser:
    """Return a browser for the app at `url`, signed in as this user."""
    client = Client()
    client.force_login(User.objects.get(username=name))
    return Browser(url, {"sessionid": client.cookies["sessionid"].value, "csrftoken": CSRF_TOKEN})


def expire_leases() -> None:
    """Expire all leases, as 20 seconds would. No worker may be running."""
    Patch.objects.filter(state=State.SENDING).update(leased_until=clock.now() - timedelta(seconds=1))


def make_all_due() -> None:
    """Make every waiting and accepted patch due now, and end breaker delays."""
    Patch.objects.filter(state__in=[State.WAITING, State.ACCEPTED]).update(due_at=clock.now())
    Breaker.objects.filter(refused_key=None).update(open_until=None)


def without_waiting(condition: Callable[[], bool]) -> Callable[[], bool]:
    """Return the same check, with all patches made due before each call."""

    def check() -> bool:
        make_all_due()
        return condition()

    return check


def unblock_patches() -> None:
    """Do what admins and leads would: replace refused keys and retry parked patches."""
    for project in Project.objects.exclude(breaker=None).exclude(breaker__refused_key=None):
        replace_key(project, f"another-key-{clock.now().timestamp():.6f}", "admin")
    for project in Project.objects.filter(Exists(Patch.objects.filter(project=OuterRef("pk"), state=State.PARKED))):
        parked = Patch.objects.filter(project=project, state=State.PARKED).values_list("pk", flat=True)
        outbox.retry(project, list(parked), "lead")


def is_settled() -> bool:
    """Whether every patch is confirmed or superseded."""
    return not Patch.objects.exclude(state__in=[State.CONFIRMED, State.SUPERSEDED]).exists()
