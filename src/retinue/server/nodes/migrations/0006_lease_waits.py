from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("nodes", "0005_receipt_lease"),
    ]

    operations = [
        migrations.AddField(
            model_name="lease",
            name="waits",
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="lease",
            name="waited_at",
            field=models.DateTimeField(null=True),
        ),
    ]
