import django.db.models.deletion
import reviewapp.lib.clock
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reviewapp', '0039_answers_are_combined_and_settled'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReviewCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('queue', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='reviewapp.queue')),
                ('reviewer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('kind', models.CharField(choices=[('day', 'day'), ('score', 'score')], max_length=5)),
                ('value', models.CharField(max_length=20)),
                ('reviews', models.IntegerField(default=0)),
                ('flagged', models.IntegerField(default=0)),
                ('unsure', models.IntegerField(default=0)),
                ('timed', models.IntegerField(default=0)),
                ('active_seconds', models.BigIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['queue', 'kind', 'value'], name='count_by_value')],
                'constraints': [models.UniqueConstraint(fields=('queue', 'reviewer', 'kind', 'value'), name='one_count_per_person_and_value')],
            },
        ),
        # Existing queues get null, which is: not counted yet.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField(
                    model_name='queue',
                    name='reviews_counted_at',
                    field=models.DateTimeField(editable=False, null=True),
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='queue',
                    name='reviews_counted_at',
                    field=models.DateTimeField(default=reviewapp.lib.clock.now, editable=False, null=True),
                ),
            ],
        ),
        migrations.AddField(
            model_name='review',
            name='active_seconds',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name='queueitem',
            index=models.Index(condition=models.Q(('due_at__isnull', False), ('state', 'pending')), fields=['queue', 'due_at'], name='item_by_due'),
        ),
        migrations.AddIndex(
            model_name='queueitem',
            index=models.Index(condition=models.Q(('claimed_by__isnull', False)), fields=['queue', 'claimed_until'], name='item_claimed'),
        ),
    ]
