from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("reviewapp", "0016_plain_labels"),
    ]

    operations = [
        migrations.AddField(
            model_name="restoremarker",
            name="location",
            field=models.CharField(db_default="", default="", max_length=80),
        ),
    ]
