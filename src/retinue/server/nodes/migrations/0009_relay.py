from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("nodes", "0008_first_epoch"),
    ]

    operations = [
        migrations.AddField(
            model_name="node",
            name="is_relay",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="lease",
            name="followed_by",
            field=models.JSONField(default=list),
        ),
    ]
