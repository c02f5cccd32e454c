"""Keys of names, for rows that an earlier release made between `migrate` and its restart: it does not write them."""

from functools import partial

from django.db import IntegrityError, models, transaction

from reviewapp.accounts.models import Project, User
from reviewapp.lib import names


def set_missing_keys(model: type[models.Model], field: str) -> None:
    """Set the key of each name in `field` that has none.

    If another row has the key, the row gets one that no name can have: keys are of one line.
    """
    key_field = f"{field}_key"
    rows = model._default_manager.filter(**{key_field: None})
    for pk, name in rows.values_list("pk", field):
        key = names.fold_name(name)
        try:
            with transaction.atomic():
                rows.filter(pk=pk).update(**{key_field: key})
        except IntegrityError:
            rows.filter(pk=pk).update(**{key_field: f"{key[: names.KEY_LENGTH - 20]}\n{pk}"})


set_keys_of_people = partial(set_missing_keys, User, "username")
set_keys_of_projects = partial(set_missing_keys, Project, "name")
