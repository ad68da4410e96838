"""What the API itself must remember."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class IdempotencyRecord(models.Model):
    """The answer to a change that was sent with an ``Idempotency-Key``. It never holds a token."""

    principal = IdField()
    key = models.CharField(max_length=255)
    operation = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(default=dict)
    #: The credential whose token stood in the answer; a retry gets a new secret while it is unused.
    credential = IdField(blank=True)
    revision = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["principal", "key"], name="idempotency_key_once_a_principal")
        ]
