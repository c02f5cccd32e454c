"""The worker forgets expired sessions and old attempts."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.conf import LazySettings

from reviewapp.accounts.models import Project
from reviewapp.accounts.sign_in_models import Session
from reviewapp.delivery.attempt_retention import forget_old_attempts
from reviewapp.delivery.models import Attempt
from reviewapp.lib import clock
from reviewapp.worker.loop import Worker
from tests.factories import PatchFactory

pytestmark = pytest.mark.django_db(transaction=True)


def create_attempts(project: Project, *ages: int) -> None:
    """Create an attempt of each age in days, the oldest first."""
    patch = PatchFactory.create(project=project)
    for days in ages:
        at = clock.now() - timedelta(days=days)
        Attempt.objects.create(patch=patch, act=Attempt.Act.PUSH, at=at, seconds=1, outcome=f"{days} days ago")


def test_the_worker_forgets_expired_sessions_and_old_attempts(project: Project) -> None:
    create_attempts(project, 91, 89)
    for key, hours in (("expired", -1), ("live", 1)):
        expires_at = clock.now() + timedelta(hours=hours)
        now = clock.now()
        Session.objects.create(digest=key, data="", created_at=now, seen_at=now, expires_at=expires_at)
    async_to_sync(Worker().run_maintenance)()
    assert Session.objects.get().pk == "live"
    assert Attempt.objects.get().outcome == "89 days ago"


def test_it_keeps_all_attempts_if_the_setting_is_0(project: Project, settings: LazySettings) -> None:
    settings.ATTEMPT_DAYS = 0
    create_attempts(project, 900)
    forget_old_attempts()
    assert Attempt.objects.count() == 1
