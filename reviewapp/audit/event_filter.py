"""Which events a page or an export of the audit log shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Exact actor and action, the beginning of a target, and days in UTC, both included; empty means any.

    `problems` are sentences about fields that cannot be read: they match no event, so that nothing is left out unseen.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    since: str = ""
    until: str = ""
    problems: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "EventFilter":
        texts = {name: query.get(name, "").strip() for name in ("actor", "action", "target", "since", "until")}
        problems = [
            f"“{texts[name]}” is not a day. Write it as 2026-12-31."
            for name in ("since", "until")
            if texts[name] and _parse_day(texts[name]) is None
        ]
        if any("\x00" in text for text in texts.values()):
            problems.append("No event has a NUL character.")
        return cls(**texts, problems=problems)

    @property
    def fields(self) -> dict[str, str]:
        """The fields that are not empty."""
        names = ("actor", "action", "target", "since", "until")
        return {name: text for name in names if (text := getattr(self, name))}

    def apply(self, project: Project) -> QuerySet[AuditEvent]:
        events = AuditEvent.objects.filter(project=project)
        if self.problems:
            return events.none()
        if self.actor:
            events = events.filter(actor_name=self.actor)
        if self.action:
            events = events.filter(verb=self.action)
        if self.target:
            events = events.filter(target__startswith=self.target)
        if since := _parse_day(self.since):
            events = events.filter(at__gte=since)
        if until := _parse_day(self.until):
            events = events.filter(at__lt=until + timedelta(days=1))
        return events


def _parse_day(text: str) -> datetime | None:
    """The start of a day in UTC; None if the text is no day from 1970 to 9998."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime.combine(day, time(), UTC) if 1970 <= day.year < 9999 else None
