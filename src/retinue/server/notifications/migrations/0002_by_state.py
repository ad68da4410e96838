from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["webhook", "state", "-created_at", "-id"], name="delivery_by_state"),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(fields=["organization", "state", "-created_at", "-id"], name="mail_by_state"),
        ),
    ]
