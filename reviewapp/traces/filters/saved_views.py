"""Saved views: a person's own, and the project's, which only leads change."""

from typing import Protocol

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.lib import names
from reviewapp.traces.filter_models import SavedView
from reviewapp.traces.filters.filter_view import MAX_QUERY_LENGTH

# Of a project, and of one person in it.
MAX_VIEWS = 50
MAX_NAME_LENGTH = 80
# Views on a person's home page, the project's and their own: every one of them is counted there.
MAX_ON_HOME = 12


class SavedViewError(ValueError):
    """Nothing was changed; the message is a sentence for the user."""


class DuplicateNameError(SavedViewError):
    """Another view has this name."""


class HasQuery(Protocol):
    """A filter that can be written as the query of a URL."""

    @property
    def query(self) -> str: ...


def visible_to(
    project: Project, user: User, subject: SavedView.Subject = SavedView.Subject.TRACES
) -> QuerySet[SavedView]:
    """The project's views of a subject, then the user's own, by name."""
    views = SavedView.objects.filter(Q(owner=None) | Q(owner=user), project=project, subject=subject)
    return views.order_by(F("owner").asc(nulls_first=True), "name")


def save(
    project: Project,
    user: User,
    name: str,
    view: HasQuery,
    *,
    for_all: bool,
    on_home: bool,
    replaces: bool = False,
    subject: SavedView.Subject = SavedView.Subject.TRACES,
) -> SavedView:
    """Save a view for the project or for the user; `replaces` overwrites one of the same name and subject.

    Raises SavedViewError.
    """
    name, owner = _clean_name(name), None if for_all else user
    if len(view.query) > MAX_QUERY_LENGTH:
        raise SavedViewError("The view was not saved: its filter is too long for a URL. Shorten or remove a condition.")
    views = SavedView.objects.filter(project=project, owner=owner, subject=subject)
    try:
        with transaction.atomic():
            if replaces and views.filter(name=name).update(query=view.query, on_home=on_home):
                saved = views.get(name=name)
            else:
                if views.count() >= MAX_VIEWS:
                    raise SavedViewError(f"There are already {MAX_VIEWS} views. Delete one that is no longer needed.")
                _check_distinct(views, name)
                saved = SavedView.objects.create(
                    project=project, subject=subject, owner=owner, name=name, query=view.query, on_home=on_home,
                    made_by=user.username,
                )  # fmt: skip
            _record_event(saved, user, "saved view", query=view.query)
    except IntegrityError:
        raise DuplicateNameError(f"A view “{name}” already exists. Choose another name, or replace it.") from None
    return saved


def change(view: SavedView, user: User, *, name: str, on_home: bool) -> None:
    """Rename a view, or change whether it is on the home page. Raises SavedViewError, also if it no longer exists."""
    name = _clean_name(name)
    try:
        with transaction.atomic():
            siblings = SavedView.objects.filter(project=view.project, owner=view.owner, subject=view.subject)
            siblings = siblings.exclude(pk=view.pk)
            _check_distinct(siblings, name)
            if not SavedView.objects.filter(pk=view.pk).update(name=name, on_home=on_home):
                raise SavedViewError("This view has been deleted. You can save it again.")
            _record_event(view, user, "changed view", new_name=name, on_home=on_home)
    except IntegrityError:
        raise DuplicateNameError(f"A view “{name}” already exists. Choose another name.") from None


def delete(view: SavedView, user: User) -> None:
    """Delete a view; does nothing if it no longer exists."""
    with transaction.atomic():
        count, _ = SavedView.objects.filter(pk=view.pk).delete()
        if count:
            _record_event(view, user, "deleted view", query=view.query)


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise SavedViewError("Enter a name for the view.")
    if sentence := names.describe_unreadable(name):
        raise SavedViewError(f"The view was not saved. {sentence}")
    if len(name) > MAX_NAME_LENGTH:
        raise SavedViewError(f"A view's name can have at most {MAX_NAME_LENGTH} characters.")
    return name


def _check_distinct(views: QuerySet[SavedView], name: str) -> None:
    """Check that no other of these views looks like a view of this name. Raises SavedViewError.

    Call it in the transaction that saves the name. The same name is the database's to refuse.
    """
    others = views.select_for_update().exclude(name=name).values_list("name", flat=True)
    try:
        names.validate_distinct(name, others)
    except ValidationError as error:
        raise SavedViewError(f"The view was not saved. {error.messages[0]}") from None


def _record_event(view: SavedView, user: User, verb: str, **detail: object) -> None:
    """Record an audit event for a view of the project; a person's own views are private."""
    if view.owner_id is None:
        record(view.project, user, verb, f"view:{view.pk}", name=view.name, **detail)
