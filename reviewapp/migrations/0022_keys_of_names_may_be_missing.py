"""Let an earlier release, which does not know the keys, create people, projects and queues until it is restarted."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from reviewapp.accounts.name_keys import set_missing_keys


def set_all_keys(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for model, field in (("User", "username"), ("Project", "name"), ("Queue", "name")):
        set_missing_keys(apps.get_model("reviewapp", model), field)


class Migration(migrations.Migration):
    dependencies = [("reviewapp", "0021_metadata_can_be_unreadable")]

    operations = [
        migrations.AlterField("user", "username_key", models.CharField(max_length=400, null=True)),
        migrations.AlterField("project", "name_key", models.CharField(max_length=400, null=True)),
        migrations.AlterField("queue", "name_key", models.CharField(max_length=400, null=True)),
        migrations.RunPython(migrations.RunPython.noop, set_all_keys),
    ]
