"""People, projects and queues have distinct names; access tokens count their calls, added items have idempotency keys.

Names that are already the same in all but case stay as they are: the oldest keeps the name's key, each other row gets
a key that no name can have, and the output tells which. Such a person signs in by the exact spelling of their name.
"""

import sys

import django.core.validators
import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import reviewapp.lib.clock
from reviewapp.lib import invisible_chars, names


def set_keys(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    set_keys_of(apps, schema_editor, "User", "username", "people sign in by the exact spelling of their names")
    set_keys_of(apps, schema_editor, "Project", "name", "rename one with manage.py connect_project")
    set_keys_of(apps, schema_editor, "Queue", "name", "a lead can rename one in its settings", scope="project_id")


def set_keys_of(
    apps: Apps, schema_editor: BaseDatabaseSchemaEditor, model_name: str, field: str, hint: str, scope: str = ""
) -> None:
    """Set the key of each row's name, and tell about the names that are not distinct."""
    rows = apps.get_model("reviewapp", model_name).objects.using(schema_editor.connection.alias)
    owners: dict[tuple[object, str], str] = {}
    columns = ("pk", field, *([scope] if scope else []))
    for pk, name, *scope_values in rows.order_by("pk").values_list(*columns):
        key = names.fold_name(name)
        place = (tuple(scope_values), key)
        is_taken, owner = place in owners, owners.setdefault(place, name)
        rows.filter(pk=pk).update(**{f"{field}_key": f"{key[: names.KEY_LENGTH - 20]}\n{pk}" if is_taken else key})
        if is_taken:
            shown = [invisible_chars.reveal(text) for text in (owner, name)]
            sys.stderr.write(f"\n  {model_name} {pk}: “{shown[1]}” is the same name as “{shown[0]}”; {hint}.")


class Migration(migrations.Migration):
    dependencies = [("reviewapp", "0013_unreadable_traces_are_marked")]

    operations = [
        migrations.AddField("accesstoken", "call_window", models.BigIntegerField(default=0, db_default=0)),
        migrations.AddField("accesstoken", "call_count", models.PositiveIntegerField(default=0, db_default=0)),
        migrations.CreateModel(
            name="IdempotentAdd",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("idempotency_key", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                ("added", models.PositiveIntegerField(default=0)),
                ("duplicates", models.PositiveIntegerField(default=0)),
                ("removed", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=reviewapp.lib.clock.now)),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="reviewapp.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "idempotency_key"), name="one_add_per_key")
                ],
            },
        ),
        migrations.AddField(
            "user", "username_key", models.CharField(default="", max_length=400), preserve_default=False
        ),
        migrations.AddField("project", "name_key", models.CharField(default="", max_length=400), preserve_default=False),
        migrations.AddField("queue", "name_key", models.CharField(default="", max_length=400), preserve_default=False),
        migrations.RunPython(set_keys, migrations.RunPython.noop),
        migrations.AddConstraint(
            "user", models.UniqueConstraint(fields=("username_key",), name="one_person_per_name")
        ),
        migrations.AddConstraint(
            "project", models.UniqueConstraint(fields=("name_key",), name="one_project_per_name")
        ),
        migrations.AddConstraint(
            "queue", models.UniqueConstraint(fields=("project", "name_key"), name="one_queue_per_name_and_project")
        ),
        # Validators only: no statement is run.
        migrations.AlterField(
            "user",
            "username",
            models.CharField(
                max_length=80,
                unique=True,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[\\w.@+-]{1,80}\\Z", "Use letters, digits and . @ + - _ only, 80 at most."
                    ),
                    names.validate_readable,
                ],
            ),
        ),
        migrations.AlterField(
            "user", "name", models.CharField(blank=True, max_length=120, validators=[names.validate_readable])
        ),
        migrations.AlterField(
            "project", "name", models.CharField(max_length=120, validators=[names.validate_readable])
        ),
        migrations.AlterField("queue", "name", models.CharField(max_length=120, validators=[names.validate_readable])),
        migrations.AlterField("rule", "name", models.CharField(max_length=100, validators=[names.validate_readable])),
    ]
