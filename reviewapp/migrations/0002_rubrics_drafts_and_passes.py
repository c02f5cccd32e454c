import django.core.validators
import django.db.models.deletion
import reviewapp.lib.clock
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reviewapp', '0001_first_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Draft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fields', models.TextField()),
                ('version', models.PositiveIntegerField()),
                ('saved_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Pass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('later', 'later for me'), ('other', 'for someone else'), ('unsure', 'unsure: for a second person')], max_length=10)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('at', models.DateTimeField(default=reviewapp.lib.clock.now)),
            ],
        ),
        migrations.CreateModel(
            name='Rubric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('text', models.TextField()),
                ('made_by', models.CharField(max_length=120)),
                ('made_at', models.DateTimeField(default=reviewapp.lib.clock.now)),
            ],
        ),
        migrations.AddField(
            model_name='patch',
            name='tags',
            field=models.TextField(db_default='[]', default='[]'),
        ),
        migrations.AddField(
            model_name='project',
            name='personal_data',
            field=models.CharField(choices=[('tell', 'point at it, the reviewer decides'), ('require', 'ask each time: send, mask, or keep here'), ('off', 'do not look')], db_default='tell', default='tell', max_length=10),
        ),
        migrations.AddField(
            model_name='queue',
            name='criteria',
            field=models.TextField(default='[]'),
        ),
        migrations.AddField(
            model_name='queue',
            name='grace_seconds',
            field=models.PositiveSmallIntegerField(blank=True, default=5, validators=[django.core.validators.MaxValueValidator(300)]),
        ),
        migrations.AddField(
            model_name='queue',
            name='guideline',
            field=models.TextField(blank=True, max_length=20000),
        ),
        migrations.AddField(
            model_name='queue',
            name='rubric_version',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='review',
            name='answers',
            field=models.TextField(db_default='{}', default='{}'),
        ),
        migrations.AddField(
            model_name='review',
            name='before',
            field=models.TextField(db_default='{}', default='{}'),
        ),
        migrations.AddField(
            model_name='review',
            name='client_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='review',
            name='is_unsure',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='review',
            name='keeps_notes_here',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='review',
            name='rubric_version',
            field=models.PositiveIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name='review',
            name='undone_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.UniqueConstraint(condition=models.Q(('client_id__isnull', False)), fields=('reviewer', 'client_id'), name='one_review_per_submit'),
        ),
        migrations.AddField(
            model_name='draft',
            name='item',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='drafts', to='reviewapp.queueitem'),
        ),
        migrations.AddField(
            model_name='draft',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='pass',
            name='item',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='passes', to='reviewapp.queueitem'),
        ),
        migrations.AddField(
            model_name='pass',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='rubric',
            name='queue',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rubrics', to='reviewapp.queue'),
        ),
        migrations.AddConstraint(
            model_name='draft',
            constraint=models.UniqueConstraint(fields=('item', 'user'), name='one_draft_per_item_and_person'),
        ),
        migrations.AddConstraint(
            model_name='pass',
            constraint=models.UniqueConstraint(fields=('item', 'user'), name='one_pass_per_item_and_person'),
        ),
        migrations.AddConstraint(
            model_name='pass',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['later', 'other', 'unsure'])), name='pass_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='rubric',
            constraint=models.UniqueConstraint(fields=('queue', 'version'), name='one_rubric_per_queue_and_version'),
        ),
    ]
