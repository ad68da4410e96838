from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0005_subjects")]

    operations = [
        migrations.AddField("permission", "declared_by", models.CharField(default="file", max_length=16))
    ]
