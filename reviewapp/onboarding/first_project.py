"""Connect the first project, and show its newest traces."""

from datetime import timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.text import slugify

from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.audit.recording import record
from reviewapp.keys import laminar_keys
from reviewapp.laminar import LaminarError, take_slot
from reviewapp.lib import clock, deadline
from reviewapp.traces.models import Trace
from reviewapp.traces.sync.list_new import Listing, pull_listing

NEWEST = 50
# How far back the newest traces are looked for, and how many seconds Laminar has to answer.
REACH, LISTING_SECONDS = timedelta(days=30), 10
# Laminar's own cloud has its pages on another host than its API.
UI_URLS = {"api.lmnr.ai": "https://laminar.sh"}


def is_needed() -> bool:
    """Whether nobody is in a project yet, so that whoever is signed in may connect the first one."""
    return not Membership.objects.exists()


def connect_first_project(user: User, name: str, base_url: str, secret: str) -> Project:
    """Create the project once its Laminar has accepted the key, with this person as its admin.

    Raises KeyNotStored with a sentence, ValidationError for the name.
    """
    host = urlsplit(base_url.strip()).hostname if "[" not in base_url else None
    slug = slugify(name).replace("_", "-")[:60].strip("-") or "project"
    project = laminar_keys.connect_project(slug, name, base_url, UI_URLS.get(host or "", ""), secret, user)
    with transaction.atomic():
        _, is_new = Membership.objects.get_or_create(project=project, user=user, defaults={"role": Role.ADMIN})
        if is_new:
            record(project, user, "joined", f"person:{user.username}", role=Role.ADMIN, invited_by="setup")
    return project


def pull_newest(project: Project) -> str:
    """Store the project's newest traces in the mirror now. Returns what went wrong as a sentence, or an empty text."""
    listing = Listing(clock.now() - REACH, None, NEWEST)
    try:
        with take_slot(), deadline.limit(LISTING_SECONDS):
            client = laminar_keys.make_read_client(project, seconds=LISTING_SECONDS)
            pull_listing(client, project, listing, lambda _: None)
    except (laminar_keys.NoReadableKey, LaminarError) as error:
        return str(error)
    return ""


def get_newest(project: Project) -> list[Trace]:
    """The newest traces of the mirror."""
    return list(Trace.objects.filter(project=project).order_by("-start_time", "-id")[:NEWEST])
