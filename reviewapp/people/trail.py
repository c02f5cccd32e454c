"""Audit events about a person's access, which every project of the person records."""

from typing import Any

from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record


def record_for_person(user: User, actor: User | str, verb: str, **detail: Any) -> None:
    """Record an event in each of the person's projects. Call it last in a transaction: it locks their logs."""
    with transaction.atomic():
        # In one order, so that two people who sign in at the same time cannot deadlock.
        for project in Project.objects.filter(memberships__user=user).order_by("pk"):
            record(project, actor, verb, f"person:{user.username}", **detail)
