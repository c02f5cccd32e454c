"""Check, store, replace and use a project's Laminar key."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.keys.encryption import OLD_VERSION, VERSION, DecryptionError, load_master_keys
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import (
    AsyncLaminar,
    Busy,
    Laminar,
    LaminarError,
    MetadataServiceRefused,
    normalize_base_url,
    take_slot,
)
from reviewapp.lib import clock, deadline, names
from reviewapp.lib.shortening import shorten

# Seconds that Laminar has to answer all calls of a test of a key.
CHECK_SECONDS = 10
# What a header carries as one word (RFC 6750). Laminar's own keys have 64 letters and digits.
KEY_SHAPE = re.compile(r"[A-Za-z0-9._~+/=-]{1,500}", re.ASCII)
MIN_KEY_LENGTH, MIN_KEY_LETTERS = 16, 8


class KeyNotStored(Exception):
    """The key was not stored; the message is a sentence for the user."""


class NoReadableKey(Exception):
    """The project has no key that may read; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class CheckedKey:
    """A key that Laminar accepted: its kind, and the id of its Laminar project (None for an ingest-only key)."""

    secret: str
    kind: str
    laminar_id: UUID | None


def check_key(base_url: str, secret: str) -> CheckedKey:
    """Test a key with Laminar. Raises KeyNotStored if Laminar refuses it or does not answer; nothing is changed."""
    secret = secret.strip()
    if not KEY_SHAPE.fullmatch(secret):
        raise KeyNotStored("Paste the key as Laminar shows it: one line of letters and digits. Nothing was changed.")
    if len(secret) < MIN_KEY_LENGTH or len(set(secret)) < MIN_KEY_LETTERS:
        raise KeyNotStored(
            "This key is too short or too simple to be one of Laminar's, so nothing was changed. Copy all of it."
        )
    try:
        client = Laminar(base_url, secret, allowed_hosts=settings.ALLOWED_LAMINAR_HOSTS)
        with take_slot(), deadline.limit(CHECK_SECONDS):
            kind = client.key_kind()
            return CheckedKey(secret, kind, client.project() if kind == "full" else None)
    except Busy as error:
        raise KeyNotStored(f"The key was not tested. {error}") from None
    except LaminarError as error:
        raise KeyNotStored(f"The key does not work, so nothing was changed. {error}") from None


def replace_key(project: Project, secret: str, actor: User | str) -> LaminarKey:
    """Test a key with the project's Laminar and activate it; the current key is retired in the same transaction.

    No push is lost: a running one finishes with the old key, the next one uses the new.
    Raises KeyNotStored if Laminar refuses it or does not answer; the current key then stays active.
    """
    with record_refusal(project, project.base_url, actor):
        return activate_key(project, check_key(project.base_url, secret), actor)


@contextmanager
def record_refusal(project: Project | None, base_url: str, actor: User | str) -> Iterator[None]:
    """Record it if a key is not stored for a project; one that does not exist yet has no audit log."""
    try:
        yield
    except KeyNotStored as error:
        is_probe = isinstance(error.__context__, MetadataServiceRefused)
        verb = "tried a metadata service" if is_probe else "entered a refused Laminar key"
        if project is not None:
            record(project, actor, verb, f"project:{project.slug}", base_url=base_url, reason=str(error))
        raise


def activate_key(project: Project, checked: CheckedKey, actor: User | str) -> LaminarKey:
    """Activate a checked key. Raises KeyNotStored for a key of another Laminar project."""
    with transaction.atomic():
        # no_key: audit events that are inserted meanwhile reference the project and must not wait.
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if checked.laminar_id and locked.laminar_id and checked.laminar_id != locked.laminar_id:
            raise KeyNotStored(
                f"This key belongs to another Laminar project ({checked.laminar_id}). Nothing was changed."
                " Paste a key of this project, or connect the other one as a separate project."
            )
        previous = LaminarKey.objects.filter(project=locked, retired_at=None).first()
        LaminarKey.objects.filter(project=locked, retired_at=None).update(retired_at=clock.now())
        key = LaminarKey.build_encrypted(locked, checked.secret, checked.kind, get_actor_name(actor))
        key.save(force_insert=True)
        if checked.laminar_id:
            Project.objects.filter(pk=project.pk).update(laminar_id=checked.laminar_id)
        before, after = previous and _describe(previous), _describe(key)
        record(project, actor, "replaced Laminar key", f"key:{key.fingerprint}", before=before, after=after)
    return key


def _describe(key: LaminarKey) -> dict[str, str]:
    """What an audit event says of a key: enough to recognise it, nothing to use it."""
    return {"fingerprint": key.fingerprint, "kind": key.kind, "last_four": key.last_four}


def connect_project(slug: str, name: str, base_url: str, ui_url: str, secret: str, actor: User | str) -> Project:
    """Create a project, or change its URL and key, once its Laminar has accepted the key.

    A project that moves to another Laminar loses its Laminar id, and its old key is retired.
    Raises KeyNotStored, and ValidationError for an invalid slug or name, or a name that another project has.
    """
    try:
        base_url = normalize_base_url(base_url)
        ui_url = normalize_base_url(ui_url) if ui_url else ""
    except LaminarError as error:
        raise KeyNotStored(f"{error} Nothing was changed.") from None
    Project(slug=slug, name=name, base_url=base_url, ui_url=ui_url).clean_fields(exclude=["name_key"])
    _validate_name(slug, name)
    with record_refusal(Project.objects.filter(slug=slug).first(), base_url, actor):
        return _store_connection(slug, name, base_url, ui_url, check_key(base_url, secret), actor)


def _store_connection(
    slug: str, name: str, base_url: str, ui_url: str, checked: CheckedKey, actor: User | str
) -> Project:
    with transaction.atomic():
        project, is_new = Project.objects.select_for_update(no_key=True).get_or_create(
            slug=slug,
            defaults={"name": name, "name_key": names.fold_name(name), "base_url": base_url, "ui_url": ui_url},
        )
        previous_url = project.base_url
        if project.name != name:
            project.name_key = names.fold_name(name)
        if previous_url != base_url:
            project.laminar_id = None
        project.name, project.base_url, project.ui_url = name, base_url, ui_url
        project.save(update_fields=["name", "name_key", "base_url", "ui_url", "laminar_id"])
        activate_key(project, checked, actor)
        verb = "created project" if is_new else "changed project"
        record(project, actor, verb, f"project:{slug}", base_url=base_url, previous_base_url=previous_url)
    return project


def probe_active_key(project: Project) -> str:
    """Test the project's active key with its Laminar now. Returns its kind, and records the outcome with the key.

    Raises KeyNotStored with the reason if it does not work; it stays active all the same.
    """
    key = get_active_key(project)
    if key is None:
        raise KeyNotStored("The project has no Laminar key to test. Add one first.")
    try:
        checked = check_key(project.base_url, key.secret)
    except (DecryptionError, KeyNotStored) as error:
        LaminarKey.objects.filter(pk=key.pk).update(last_error=shorten(str(error), 300))
        raise KeyNotStored(str(error)) from None
    LaminarKey.objects.filter(pk=key.pk).update(last_used_at=clock.now(), last_error="", kind=checked.kind)
    return checked.kind


def erase_key(project: Project, key: LaminarKey, actor: User | str) -> bool:
    """Erase the secret of a replaced key. Returns False if it is active or erased already."""
    with transaction.atomic():
        replaced = LaminarKey.objects.filter(pk=key.pk, project=project, erased_at=None).exclude(retired_at=None)
        if not replaced.update(encrypted_secret="", erased_at=clock.now()):
            return False
        record(project, actor, "erased Laminar key", f"key:{key.fingerprint}", before=_describe(key))
    return True


def _validate_name(slug: str, name: str) -> None:
    """Check that no other project has this name; the name that a project already has is allowed."""
    projects = dict(Project.objects.values_list("slug", "name"))
    if projects.pop(slug, None) == name:
        return
    try:
        names.validate_distinct(name, projects.values())
    except ValidationError as error:
        raise ValidationError({"name": error.messages}) from None


def get_active_key(project: Project) -> LaminarKey | None:
    """Return the project's active Laminar key, or None."""
    return LaminarKey.objects.filter(project=project, retired_at=None).first()


def find_locked_keys() -> list[LaminarKey]:
    """The active keys, with their projects, that need a master key which this process lacks."""
    active = LaminarKey.objects.select_related("project").filter(retired_at=None)
    for master in load_master_keys():
        for version in (VERSION, OLD_VERSION):
            active = active.exclude(encrypted_secret__startswith=f"{version}.{master.id}.")
    # A malformed text has no master key: no worker can use it, and each may say so.
    return [key for key in active if key.master_id]


def make_async_client(project: Project, key: LaminarKey) -> AsyncLaminar:
    """Return a client of the project's Laminar. Raises DecryptionError."""
    return AsyncLaminar(project.base_url, key.secret, allowed_hosts=settings.ALLOWED_LAMINAR_HOSTS)


def make_read_client(project: Project, *, seconds: float = 30.0) -> Laminar:
    """Return a client that may read the project's Laminar; a call takes `seconds` at most. Raises NoReadableKey."""
    key = get_active_key(project)
    if key is None:
        raise NoReadableKey("The project has no Laminar key. An admin can add one on the Keys page.")
    if not key.can_read:
        raise NoReadableKey(
            "The project's Laminar key is ingest-only and cannot read. An admin can add a full key on the Keys page."
        )
    try:
        hosts = settings.ALLOWED_LAMINAR_HOSTS
        return Laminar(project.base_url, key.secret, allowed_hosts=hosts, deadline=seconds)
    except (DecryptionError, LaminarError) as error:
        raise NoReadableKey(str(error)) from None
