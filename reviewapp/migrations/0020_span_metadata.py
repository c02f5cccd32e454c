import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reviewapp', '0018_follow_the_databases_clock'),
    ]

    operations = [
        migrations.CreateModel(
            name='SpanMetadata',
            fields=[
                ('trace', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='reviewapp.trace')),
                ('values', models.TextField(default='{}')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='reviewapp.project')),
            ],
            options={
                'indexes': [models.Index(fields=['project', '-trace'], name='span_metadata_newest')],
            },
        ),
        migrations.AlterField(
            model_name='metadatachange',
            name='by',
            field=models.CharField(choices=[('spans', 'the application, in flight'), ('us', 'the review desk'), ('others', 'someone else, after our push'), ('outside', 'someone else'), ('unknown', 'unknown'), ('flight', 'unknown, an earlier release guessed'), ('somebody', 'unknown, an earlier release guessed')], max_length=10),
        ),
    ]
