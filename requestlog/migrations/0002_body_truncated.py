from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('requestlog', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='requestlog',
            name='body_truncated',
            field=models.BooleanField(db_default=False, help_text='Whether the body above holds less than that.'),
        ),
        migrations.AlterField(
            model_name='requestlog',
            name='body_size',
            field=models.IntegerField(help_text='Bytes received or announced; the body above holds at most the first 64 KiB of them.'),
        ),
        migrations.RunSQL(
            'UPDATE request_logs SET body_truncated = true WHERE body_size > 65536', migrations.RunSQL.noop
        ),
    ]
