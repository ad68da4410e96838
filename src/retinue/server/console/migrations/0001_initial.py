from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="SigninFailures",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("count", models.PositiveSmallIntegerField()),
                ("window_ends_at", models.DateTimeField()),
                ("pauses", models.PositiveSmallIntegerField()),
                ("paused_until", models.DateTimeField()),
                ("forgotten_at", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
