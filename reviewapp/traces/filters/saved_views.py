"""Views under a name: a person's own, and the project's, which leads keep."""

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.traces.filters.filter_view import FilterView
from reviewapp.traces.models import SavedView

# Of a project, and of one person in it: a list of more is no list one looks at.
MAX_VIEWS = 50
NAME = 80
# Of the project's and one's own together: each of them is counted.
MAX_ON_HOME = 12


class SavedViewError(ValueError):
    """Nothing was changed; the message is a sentence for a person."""


class DuplicateNameError(SavedViewError):
    """There is another view of this name."""


def visible_to(project: Project, user: User) -> QuerySet[SavedView]:
    """The project's views and then this person's own, by name."""
    found = SavedView.objects.filter(Q(owner=None) | Q(owner=user), project=project)
    return found.order_by(F("owner").asc(nulls_first=True), "name")


def save(
    project: Project, user: User, name: str, view: FilterView, *, for_all: bool, on_home: bool, replaces: bool = False
) -> SavedView:
    """Save a view under a name, for the project or for this person; one of that name is replaced if that is meant.

    Raises NotKept.
    """
    name, owner = _checked(name), None if for_all else user
    same = SavedView.objects.filter(project=project, owner=owner)
    try:
        with transaction.atomic():
            if replaces and same.filter(name=name).update(query=view.query, on_home=on_home):
                kept = same.get(name=name)
            else:
                if same.count() >= MAX_VIEWS:
                    raise SavedViewError(f"There are {MAX_VIEWS} views already. Delete one that nobody needs first.")
                kept = SavedView.objects.create(
                    project=project, owner=owner, name=name, query=view.query, on_home=on_home, made_by=user.username
                )
            _record(kept, user, "saved view", query=view.query)
    except IntegrityError:
        raise DuplicateNameError(f"There is a view “{name}” already. Choose another name, or replace it.") from None
    return kept


def change(view: SavedView, user: User, *, name: str, on_home: bool) -> None:
    """Give a view another name, or another place. Raises NotKept, also where it was deleted meanwhile."""
    name = _checked(name)
    try:
        with transaction.atomic():
            if not SavedView.objects.filter(pk=view.pk).update(name=name, on_home=on_home):
                raise SavedViewError("This view was deleted meanwhile. Save it again if it is needed.")
            _record(view, user, "changed view", new_name=name, on_home=on_home)
    except IntegrityError:
        raise DuplicateNameError(f"There is a view “{name}” already. Choose another name.") from None


def delete(view: SavedView, user: User) -> None:
    """Delete a view; one that is gone already stays gone."""
    with transaction.atomic():
        count, _ = SavedView.objects.filter(pk=view.pk).delete()
        if count:
            _record(view, user, "deleted view", query=view.query)


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise SavedViewError("Give the view a name.")
    if len(name) > NAME or not name.isprintable():
        raise SavedViewError(f"A view's name has {NAME} characters at most, all of them printable. Shorten it.")
    return name


def _record(view: SavedView, user: User, verb: str, **detail: object) -> None:
    """An event for the project's views; what somebody keeps for themselves is nobody else's."""
    if view.owner_id is None:
        record(view.project, user, verb, f"view:{view.pk}", name=view.name, **detail)
