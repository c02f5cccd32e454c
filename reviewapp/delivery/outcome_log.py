"""What happens to deliveries, in log lines that an operator can alert on.

A warning passes by itself; an error needs a person. Each kind of line is written at once, then once a minute for each
project with its count (`lib.log_summary`).
"""

import logging
from datetime import datetime
from functools import lru_cache

from reviewapp.accounts.models import Project

log = logging.getLogger("reviewapp.delivery")


def log_failed_push(project_id: int, patch_id: int, reason: str) -> None:
    _log(logging.WARNING, "push failed", project_id, f"delivery {patch_id} failed and is tried again: {reason}")


def log_parked(project_id: int, patch_id: int, reason: str) -> None:
    _log(logging.ERROR, "parked", project_id, f"delivery {patch_id} is parked: {reason}")


def log_open_breaker(project_id: int, until: datetime, reason: str) -> None:
    _log(logging.WARNING, "breaker open", project_id, f"pushing is stopped until {until:%T} UTC: {reason}")


def log_refused_key(project_id: int, reason: str) -> None:
    _log(logging.ERROR, "key refused", project_id, f"pushing is stopped until an admin adds another key: {reason}")


def log_paused(project_id: int, waiting: int, actor: str) -> None:
    _log(logging.ERROR, "paused", project_id, f"delivery was paused by {actor}, {waiting:,} deliveries are held")


def _log(level: int, kind: str, project_id: int, text: str) -> None:
    log.log(level, "Project %s: %s", _get_slug(project_id), text, extra={"summary": f"{kind} {project_id}"})


@lru_cache(1024)
def _get_slug(project_id: int) -> str:
    return Project.objects.values_list("slug", flat=True).get(pk=project_id)
