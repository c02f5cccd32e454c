from django.db import migrations, models
from django.db.models.functions import Now

import reviewapp.lib.clock

# The marks there are stand for the Laminar that is connected, and each rule begins with its making.
BASE_URL = """
    UPDATE reviewapp_pullmark SET base_url = (
        SELECT base_url FROM reviewapp_project WHERE id = reviewapp_pullmark.project_id
    )
"""
TAKES_SINCE = "UPDATE reviewapp_rule SET takes_since = made_at"


class Migration(migrations.Migration):

    dependencies = [
        ('reviewapp', '0008_rules_fill_queues'),
    ]

    operations = [
        migrations.AddField('pullmark', 'base_url', models.CharField(default='', db_default='', max_length=300)),
        migrations.AddField('pullmark', 'lacks_since', models.DateTimeField(null=True)),
        migrations.AddField('pullmark', 'lacks_until', models.DateTimeField(null=True)),
        migrations.RunSQL(BASE_URL, migrations.RunSQL.noop),
        migrations.AddField('trace', 'asked_at', models.DateTimeField(null=True)),
        migrations.AddField('rule', 'takes_since', models.DateTimeField(db_default=Now(), default=reviewapp.lib.clock.now)),
        migrations.RunSQL(TAKES_SINCE, migrations.RunSQL.noop),
    ]
