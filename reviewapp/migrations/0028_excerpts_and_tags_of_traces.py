import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reviewapp', '0027_people_have_preferences'),
    ]

    operations = [
        migrations.CreateModel(
            name='TraceTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('source', models.CharField(choices=[('arrival', 'set by the application, in flight'), ('laminar', 'set in Laminar'), ('span', 'added to a span afterwards'), ('review', 'added by a review')], max_length=10)),
                ('start_time', models.DateTimeField(null=True)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='reviewapp.project')),
                ('trace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tags', to='reviewapp.trace')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'name', '-start_time', '-trace'], name='tag_newest_first')],
                'constraints': [models.UniqueConstraint(fields=('trace', 'name', 'source'), name='one_row_per_tag_and_source')],
            },
        ),
        migrations.CreateModel(
            name='Excerpt',
            fields=[
                ('trace', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='excerpt', serialize=False, to='reviewapp.trace')),
                ('question', models.CharField(blank=True, max_length=200)),
                ('answer', models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.AddIndex(
            model_name='trace',
            index=models.Index(condition=models.Q(('session_id', ''), _negated=True), fields=['project', 'session_id', '-start_time', '-id'], name='trace_of_session'),
        ),
        migrations.AddIndex(
            model_name='trace',
            index=models.Index(condition=models.Q(('user_id', ''), _negated=True), fields=['project', 'user_id', '-start_time', '-id'], name='trace_of_user'),
        ),
        migrations.AddIndex(
            model_name='trace',
            index=models.Index(condition=models.Q(('status', 'error')), fields=['project', '-start_time', '-id'], name='trace_failed'),
        ),
        migrations.AddIndex(
            model_name='trace',
            index=models.Index(condition=models.Q(('is_kept', True)), fields=['project', '-start_time', '-id'], name='trace_queued'),
        ),
        migrations.AddIndex(
            model_name='queueitem',
            index=models.Index(fields=['trace_id'], name='item_of_trace'),
        ),
    ]
