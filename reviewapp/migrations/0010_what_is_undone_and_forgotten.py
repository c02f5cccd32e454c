from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reviewapp", "0009_listings_go_on_where_they_stopped")]

    operations = [
        migrations.AddField(model_name="patch", name="carried", field=models.TextField(null=True)),
        migrations.AlterField(
            model_name="change",
            name="by",
            field=models.CharField(
                choices=[
                    ("flight", "the application, in flight"),
                    ("us", "us"),
                    ("others", "others, after us"),
                    ("somebody", "somebody else"),
                ],
                max_length=10,
            ),
        ),
        # So few at a time that it is made at once, however many terms there are.
        migrations.AddIndex(
            model_name="term",
            index=models.Index(condition=models.Q(("count", 0)), fields=["id"], name="term_held_by_none"),
        ),
    ]
