from django.db import migrations, models

import retinue.server.fields


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0002_evidence_in_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Leak",
            fields=[
                ("id", retinue.server.fields.IdField(max_length=64, primary_key=True, serialize=False)),
                ("organization", retinue.server.fields.IdField(max_length=64)),
                ("credential", retinue.server.fields.IdField(max_length=64)),
                ("source", models.CharField(blank=True, max_length=64)),
                ("url", models.CharField(blank=True, max_length=2048)),
                ("reported_at", models.DateTimeField()),
                ("reported_by", retinue.server.fields.IdField(blank=True, max_length=64)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["organization", "credential", "reported_at"], name="leak_of_credential"
                    )
                ],
            },
        ),
    ]
