from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reviewapp', '0031_several_people_review_an_item'),
    ]

    operations = [
        migrations.AddField(
            model_name='queue',
            name='pushes_agreement',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='queue',
            name='push_policy',
            field=models.CharField(choices=[('latest', 'The latest review'), ('combined', 'All answers combined, once everyone has answered')], db_default='latest', default='latest', max_length=12),
        ),
    ]
