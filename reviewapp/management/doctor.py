"""What an operator can get wrong, and how to mend it."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection

from reviewapp.delivery.heartbeat import MAX_CLOCK_OFFSET, find_worker_obstacle, get_worker_status
from reviewapp.keys.encryption import DecryptionError
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import Laminar, LaminarError
from reviewapp.lib import clock
from reviewapp.web import readiness

MIN_FREE_BYTES = 1_000_000_000
MAX_BACKUP_AGE = 26 * 3600  # seconds; a daily backup may start a little later than the day before
LAMINAR_SECONDS = 5.0
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
SECRET_FILES = ("secret_key", "key_encryption_key", "audit_key")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: `problem` is a sentence, empty if all is well, `mend` says what to do."""

    check: str
    problem: str = ""
    mend: str = ""


def examine(backups: Path | None) -> Iterator[Finding]:
    """Run every check; those that need the database end with it if it cannot be used. `backups` is their folder."""
    yield from _run("settings", _check_settings)
    yield from _run("secrets", _check_secrets)
    yield from _run("data folder", _check_data_folder)
    yield from _run("static files", _check_static_files)
    yield from _run("backups", partial(_check_backups, backups))
    if obstacle := readiness.find_obstacle():
        yield Finding("database", obstacle, "Check DATABASE_URL and the server; run review-desk migrate.")
        return
    yield Finding("database")
    yield from _run("clock", _check_clock)
    yield from _run("worker", _check_worker)
    yield from _run("Laminar", _check_laminar)


def _run(name: str, check: Callable[[], Iterator[tuple[str, str]]]) -> Iterator[Finding]:
    """Yield a finding for each problem, or one that all is well. A check that fails is a problem, too."""
    try:
        problems = list(check())
    except (OSError, DatabaseError) as error:
        problems = [(f"It could not be checked: {error}.", "Mend what the other lines name, then run it again.")]
    yield from (Finding(name, *problem) for problem in problems) if problems else (Finding(name),)


def _check_settings() -> Iterator[tuple[str, str]]:
    if settings.DEBUG:
        yield "DEBUG is on: errors show settings and source to anyone.", "Unset DEBUG."
    public_hosts = set(settings.ALLOWED_HOSTS) - LOOPBACK
    if "*" in public_hosts:
        yield "ALLOWED_HOSTS has *: links can be made to name a foreign host.", "Name your hosts in ALLOWED_HOSTS."
    if public_hosts and not settings.SECURE_COOKIES:
        yield "Cookies are also sent without TLS.", "Serve it over https and set SECURE_COOKIES=true."
    if settings.SECURE_COOKIES and not settings.CSRF_TRUSTED_ORIGINS:
        yield "CSRF_TRUSTED_ORIGINS is empty.", "If forms answer 403, set it to https:// and your host name."
    if connection.vendor == "postgresql":
        for name, file in zip(("SECRET_KEY", "KEY_ENCRYPTION_KEYS", "AUDIT_KEY"), SECRET_FILES, strict=True):
            has_master_keys = name == "KEY_ENCRYPTION_KEYS" and settings.MASTER_KEYS
            if not (has_master_keys or os.environ.get(name) or os.environ.get(f"{name}_FILE")):
                yield (
                    f"{name} is this node's own: another node with this database has another.",
                    f"Set {name} on all nodes to the content of {settings.DATA_DIR / file}.",
                )


def _check_secrets() -> Iterator[tuple[str, str]]:
    names = ("SECRET_KEY", "MASTER_KEYS", "KEY_ENCRYPTION_KEYS", "AUDIT_KEY", "DATABASE_URL")
    variables = [os.environ.get(f"{name}_FILE", "") for name in names]
    folders = {settings.DATA_DIR, settings.SECRETS_DIR, settings.KEY_DIR}
    paths = [folder / name for folder in sorted(folders) for name in SECRET_FILES]
    for path in paths + [Path(name) for name in variables if name]:
        if path.exists() and path.stat().st_mode & 0o007:
            yield f"Every user of this machine can read {path}.", f"Run chmod 600 {path}."


def _check_data_folder() -> Iterator[tuple[str, str]]:
    if not os.access(settings.DATA_DIR, os.W_OK | os.X_OK):
        yield (
            f"{settings.DATA_DIR} cannot be written: a restored database would not be noticed.",
            "Let the user of this process own it, or set DATA_DIR to a folder that persists.",
        )
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free < MIN_FREE_BYTES:
        yield (
            f"{settings.DATA_DIR} has {free / 1e6:,.0f} MB left.",
            "Free some space, or move DATA_DIR to a larger disk.",
        )


def _check_static_files() -> Iterator[tuple[str, str]]:
    if not (settings.STATIC_ROOT / "staticfiles.json").exists():
        yield (
            f"Static files are not collected in {settings.STATIC_ROOT}: pages load slowly.",
            "Run review-desk collectstatic on each node, and restart the web app.",
        )


def _check_backups(folder: Path | None) -> Iterator[tuple[str, str]]:
    if folder is None:
        yield "No folder of backups was named.", "Run review-desk backup daily, and doctor with --backups FOLDER."
        return
    ages = [time.time() - path.stat().st_mtime for path in folder.iterdir() if path.is_file()]
    if not ages or min(ages) > MAX_BACKUP_AGE:
        yield f"{folder} has no backup of the last 26 hours.", "Run review-desk backup, and look at its timer."


def _check_clock() -> Iterator[tuple[str, str]]:
    clock.sync()
    if abs(offset := clock.host_offset()) > MAX_CLOCK_OFFSET:
        yield f"This machine's clock differs by {offset:+.0f} s from the database's.", "Run a time service on both."
    for worker in get_worker_status().with_wrong_clock:
        yield f"The clock of {worker.host} differs by {worker.clock_offset:+.0f} s.", "Run a time service there."


def _check_worker() -> Iterator[tuple[str, str]]:
    if obstacle := find_worker_obstacle():
        yield f"{obstacle} Reviews are saved and wait.", "Start review-desk worker, and look at its log."


def _check_laminar() -> Iterator[tuple[str, str]]:
    for key in LaminarKey.objects.filter(retired_at=None).select_related("project"):
        project = key.project
        try:
            hosts = settings.ALLOWED_LAMINAR_HOSTS
            Laminar(project.base_url, key.secret, allowed_hosts=hosts, deadline=LAMINAR_SECONDS).key_kind()
        except DecryptionError:
            yield (
                f"{project.slug}: the Laminar key cannot be decrypted with this node's master key.",
                "Set KEY_ENCRYPTION_KEYS to the value of the other nodes, or add the key again on the Keys page.",
            )
        except LaminarError as error:
            yield f"{project.slug}: {error}", "Check the address, the network, ALLOWED_LAMINAR_HOSTS and the key."
