"""Take in, replace and use a project's secrets."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.keys.encryption import DecryptionError
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar, Laminar, LaminarError, normalize_base_url
from reviewapp.lib import clock


class KeyNotStored(Exception):
    """The key was not stored; the message is a sentence for a person."""


class NoReadableKey(Exception):
    """The project has no key that may read; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class CheckedKey:
    """A key that Laminar took: what it may do, and which project there it belongs to (None when it may not ask)."""

    secret: str
    kind: str
    laminar_id: UUID | None


def check_key(base_url: str, secret: str) -> CheckedKey:
    """Try a key at its Laminar. Raises KeyNotTaken, with nothing changed, when it is refused or nobody answers."""
    secret = secret.strip()
    if not secret or not secret.isascii() or not secret.isprintable() or len(secret) > 500:
        raise KeyNotStored("Paste the key as Laminar shows it: one line of letters and digits. Nothing was changed.")
    try:
        client = Laminar(base_url, secret, allowed_hosts=settings.ALLOWED_LAMINAR_HOSTS, deadline=10)
        kind = client.key_kind()
        return CheckedKey(secret, kind, client.project() if kind == "full" else None)
    except LaminarError as error:
        raise KeyNotStored(f"The key was not taken, and nothing was changed. {error}") from None


def replace_key(project: Project, secret: str, actor: User | str) -> LaminarKey:
    """Test `secret` at the project's Laminar and put it in use; the key before it is retired in the same moment.

    Nothing on its way is lost: a push under way ends with the old key, the next one takes the new.
    Raises KeyNotTaken when Laminar refuses it or is not reached: then the key in use stays.
    """
    return activate_key(project, check_key(project.base_url, secret), actor)


def activate_key(project: Project, tested: CheckedKey, actor: User | str) -> LaminarKey:
    """Put a tested key in use. Raises KeyNotTaken for a key of another Laminar project."""
    with transaction.atomic():
        # Not the row's key: an act that is recorded at this moment refers to the project and must not wait.
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if tested.laminar_id and locked.laminar_id and tested.laminar_id != locked.laminar_id:
            raise KeyNotStored(
                f"This key belongs to another Laminar project ({tested.laminar_id}). The key in use stays: "
                "paste one of this project, or connect the other as a project of its own."
            )
        LaminarKey.objects.filter(project=locked, retired_at=None).update(retired_at=clock.now())
        key = LaminarKey.build_encrypted(locked, tested.secret, tested.kind, get_actor_name(actor))
        key.save(force_insert=True)
        if tested.laminar_id:
            Project.objects.filter(pk=project.pk).update(laminar_id=tested.laminar_id)
        record(project, actor, "replaced Laminar key", f"key:{key.fingerprint}", kind=key.kind, last_four=key.last_four)
    return key


def connect_project(slug: str, name: str, base_url: str, ui_url: str, secret: str, actor: User | str) -> Project:
    """Make a project, or give one another address and key, once its Laminar has taken the key.

    A project that moves to another Laminar forgets its id there, and its old key is retired.
    Raises KeyNotTaken, and ValidationError for a slug or name that cannot be.
    """
    try:
        base_url = normalize_base_url(base_url)
        ui_url = normalize_base_url(ui_url) if ui_url else ""
    except LaminarError as error:
        raise KeyNotStored(f"{error} Nothing was changed.") from None
    Project(slug=slug, name=name, base_url=base_url, ui_url=ui_url).clean_fields()
    tested = check_key(base_url, secret)
    with transaction.atomic():
        project, is_new = Project.objects.select_for_update(no_key=True).get_or_create(
            slug=slug, defaults={"name": name, "base_url": base_url, "ui_url": ui_url}
        )
        if project.base_url != base_url:
            project.laminar_id = None
        project.name, project.base_url, project.ui_url = name, base_url, ui_url
        project.save(update_fields=["name", "base_url", "ui_url", "laminar_id"])
        activate_key(project, tested, actor)
        record(project, actor, "made project" if is_new else "changed project", f"project:{slug}", base_url=base_url)
    return project


def get_active_key(project: Project) -> LaminarKey | None:
    """The project's Laminar key, None when it has none yet."""
    return LaminarKey.objects.filter(project=project, retired_at=None).first()


def make_async_client(project: Project, key: LaminarKey) -> AsyncLaminar:
    """A client of the project's Laminar. Raises sealing.CannotOpen."""
    return AsyncLaminar(project.base_url, key.secret, allowed_hosts=settings.ALLOWED_LAMINAR_HOSTS)


def make_read_client(project: Project, *, deadline: float = 30.0) -> Laminar:
    """A client that may read the project's Laminar; `deadline` of a call in seconds. Raises CannotRead."""
    key = get_active_key(project)
    if key is None:
        raise NoReadableKey("The project has no Laminar key. An admin adds a full one.")
    if not key.can_read:
        raise NoReadableKey("The project's Laminar key is ingest-only and may not read. An admin adds a full key.")
    try:
        hosts = settings.ALLOWED_LAMINAR_HOSTS
        return Laminar(project.base_url, key.secret, allowed_hosts=hosts, deadline=deadline)
    except (DecryptionError, LaminarError) as error:
        raise NoReadableKey(str(error)) from None
