from django.db import migrations, models

import retinue.server.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Progress",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("revision", models.PositiveBigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Warned",
            fields=[
                (
                    "credential",
                    retinue.server.fields.IdField(max_length=64, primary_key=True, serialize=False),
                ),
                ("expires_at", models.DateTimeField()),
                ("days", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", retinue.server.fields.IdField(max_length=64, primary_key=True, serialize=False)),
                ("webhook", retinue.server.fields.IdField(max_length=64)),
                ("organization", retinue.server.fields.IdField(max_length=64)),
                ("event", models.CharField(max_length=40)),
                ("type", models.CharField(max_length=64)),
                ("state", models.CharField(default="pending", max_length=16)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField()),
                ("last_status", models.PositiveSmallIntegerField(default=0)),
                ("last_error", models.CharField(blank=True, max_length=255)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")), fields=["next_at"], name="delivery_due"
                    ),
                    models.Index(fields=["webhook", "-created_at", "-id"], name="delivery_of_webhook"),
                    models.Index(fields=["created_at"], name="delivery_by_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("webhook", "event"), name="delivery_once_an_event"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "done", "failed"])),
                        name="delivery_state",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", retinue.server.fields.IdField(max_length=64, primary_key=True, serialize=False)),
                ("organization", retinue.server.fields.IdField(max_length=64)),
                ("recipient", retinue.server.fields.IdField(max_length=64)),
                ("state", models.CharField(default="pending", max_length=16)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField()),
                ("last_error", models.CharField(blank=True, max_length=255)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")), fields=["next_at"], name="mail_due"
                    ),
                    models.Index(fields=["organization", "-created_at", "-id"], name="mail_of_organization"),
                    models.Index(fields=["created_at"], name="mail_by_age"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "done", "failed"])), name="mail_state"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("organization", retinue.server.fields.IdField(max_length=64)),
                ("recipient", retinue.server.fields.IdField(max_length=64)),
                ("event", models.CharField(max_length=40)),
                ("due_at", models.DateTimeField()),
                ("mail", retinue.server.fields.IdField(blank=True, max_length=64)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("mail", "")), fields=["due_at"], name="notice_waiting"),
                    models.Index(fields=["mail"], name="notice_of_mail"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("recipient", "event"), name="notice_once_a_person")
                ],
            },
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", retinue.server.fields.IdField(max_length=64, primary_key=True, serialize=False)),
                ("organization", retinue.server.fields.IdField(max_length=64)),
                ("name", models.CharField(max_length=255)),
                ("url", models.CharField(max_length=2048)),
                ("events", models.JSONField(default=list)),
                ("state", models.CharField(default="enabled", max_length=16)),
                ("sealed", models.BinaryField(max_length=256)),
                ("pepper_id", models.CharField(max_length=16)),
                ("previous_sealed", models.BinaryField(default=b"", max_length=256)),
                ("previous_pepper_id", models.CharField(blank=True, max_length=16)),
                ("previous_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("created_by", retinue.server.fields.IdField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="webhook_name_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["enabled", "disabled"])), name="webhook_state"
                    ),
                ],
            },
        ),
    ]
