"""Heads of audit chains, exported out of the database: what was recorded by then cannot be cut off unnoticed."""

import json
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings

from reviewapp.accounts.models import Project
from reviewapp.audit.models import AuditEvent, AuditHead, compute_hmac
from reviewapp.lib import clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """The number and digest of a project's newest event at a time, sealed. `key` identifies AUDIT_KEY."""

    project: str
    project_id: int
    seq: int
    digest: str
    at: str
    key: str
    seal: str = ""

    def compute_seal(self) -> str:
        return compute_hmac("head", json.dumps([self.project_id, self.seq, self.digest, self.at]))

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def get_key_name() -> str:
    """Eight hex digits that identify AUDIT_KEY and reveal nothing about it."""
    return sha256(b"audit key:" + settings.AUDIT_KEY.encode()).hexdigest()[:8]


def make_head(project: Project) -> Head:
    """The project's head now; event 0 if nothing was recorded yet."""
    head = AuditHead.objects.filter(project=project).first()
    return _build_head(project, *((head.seq, head.digest) if head else (0, "")))


def _build_head(project: Project, seq: int, digest: str) -> Head:
    head = Head(project.slug, project.pk, seq, digest, clock.iso(clock.now()), get_key_name())
    return Head(**{**asdict(head), "seal": head.compute_seal()})


def parse_heads(lines: Iterable[str]) -> tuple[list[Head], list[int]]:
    """The heads in the lines of an exported file, and the numbers of lines that are none."""
    heads, unreadable = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        head = _parse_head(line)
        if head is None:
            unreadable.append(number)
        else:
            heads.append(head)
    return heads, unreadable


def _parse_head(line: str) -> Head | None:
    try:
        members: Any = json.loads(line)
        head = Head(**members)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (head.project, head.digest, head.at, head.key, head.seal)
    numbers = (head.project_id, head.seq)
    if not all(isinstance(text, str) for text in texts) or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
        return None
    return head


def find_problem(head: Head) -> str:
    """Say in a sentence what is wrong with the log that this head was exported from; empty if it still has it."""
    if head.key != get_key_name():
        return f"The head of event {head.seq:,} was sealed with another AUDIT_KEY (“{head.key}”)."
    if head.seal != head.compute_seal():
        return f"The head of event {head.seq:,} was changed after its export."
    if not Project.objects.filter(pk=head.project_id).exists():
        return "The project was deleted, with its log."
    if head.seq == 0:
        return ""
    digest = AuditEvent.objects.filter(project=head.project_id, seq=head.seq).values_list("digest", flat=True).first()
    if digest is None:
        return f"Event {head.seq:,} was there at {head.at} and is missing now: the log was cut off."
    return "" if digest == head.digest else f"Event {head.seq:,} is another one than at {head.at}."


def read_exported(project: Project) -> list[Head]:
    """The heads of a project in AUDIT_HEADS_FILE on this node; none if there is no such file."""
    try:
        lines = settings.AUDIT_HEADS_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [head for head in parse_heads(lines)[0] if head.project_id == project.pk]


@dataclass(slots=True)
class HeadExporter:
    """Appends the heads that are new to a file, and to the log, every AUDIT_EXPORT_SECONDS."""

    next_export: float = 0.0
    # By project primary key, the number of the last exported event.
    exported: dict[int, int] = field(default_factory=dict)

    def run(self) -> None:
        """Export, unless the last time was not long ago."""
        if time.monotonic() < self.next_export:
            return
        heads = AuditHead.objects.select_related("project").order_by("project")
        new = [
            _build_head(head.project, head.seq, head.digest)
            for head in heads
            if head.seq != self.exported.get(head.project_id, 0)
        ]
        if new:
            _append(settings.AUDIT_HEADS_FILE, "".join(head.to_line() for head in new))
        for head in new:
            log.info("Audit head of project %s: event %d, digest %s", head.project, head.seq, head.digest)
            self.exported[head.project_id] = head.seq
        self.next_export = time.monotonic() + settings.AUDIT_EXPORT_SECONDS


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
