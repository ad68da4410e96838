from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("nodes", "0003_receipt"),
    ]

    operations = [
        migrations.AddField(
            model_name="lease",
            name="clock",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
    ]
