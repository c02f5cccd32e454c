"""Traces that could not be read are marked, with the reason and the time of the next try."""

import django.db.models.deletion
import reviewapp.lib.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reviewapp', '0012_standard_names'),
    ]

    operations = [
        migrations.CreateModel(
            name='UnreadablePart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('part', models.CharField(choices=[('trace', 'This trace'), ('spans', 'Spans of this trace'), ('transcript', 'The transcript')], max_length=20)),
                ('reason', models.CharField(max_length=300)),
                ('is_too_long', models.BooleanField(default=False)),
                ('since', models.DateTimeField(default=reviewapp.lib.clock.now)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('retry_at', models.DateTimeField()),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='reviewapp.project')),
                ('trace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='unreadable_parts', to='reviewapp.trace')),
            ],
            options={
                'indexes': [models.Index(fields=['project', '-id'], name='unreadable_newest_first'), models.Index(fields=['retry_at'], name='unreadable_retry_due')],
                'constraints': [models.UniqueConstraint(fields=('trace', 'part'), name='one_row_per_unreadable_part')],
            },
        ),
    ]
