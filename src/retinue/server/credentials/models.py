"""The table of credentials. It holds keyed digests; a deleted credential leaves a tombstone."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class Credential(models.Model):
    """One credential. ``principal`` is empty for a node credential, which belongs to the installation."""

    id = IdField(primary_key=True)
    kid = IdField(max_length=12, unique=True)
    kind = models.CharField(max_length=8)
    brand = models.CharField(max_length=10)
    # Indexes that begin with these columns stand below.
    organization = models.ForeignKey(
        "directory.Organization", on_delete=models.PROTECT, related_name="credentials", db_index=False
    )
    principal = models.ForeignKey(
        "directory.Principal",
        null=True,
        on_delete=models.PROTECT,
        related_name="credentials",
        db_index=False,
    )
    name = models.CharField(max_length=255)
    name_folded = models.CharField(max_length=255)
    digest = models.BinaryField(max_length=32)
    pepper_id = models.CharField(max_length=16)
    state = models.CharField(max_length=16, default="active")
    reason = models.CharField(max_length=32, blank=True)
    reason_text = models.CharField(max_length=1024, blank=True)
    issued_at = models.DateTimeField()
    issued_by = IdField()
    expires_at = models.DateTimeField(null=True)
    rotate_by = models.DateTimeField(null=True)
    #: Set by a rotation: until then the predecessor is accepted beside its successor.
    retires_at = models.DateTimeField(null=True)
    rotated_from = IdField(blank=True)
    rotated_to = IdField(blank=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = IdField(blank=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # A revoked or rotated credential gives its name free; an expired one keeps it until deleted.
            models.UniqueConstraint(
                fields=["principal", "name_folded"],
                condition=models.Q(state__in=["active", "suspended"], retires_at__isnull=True),
                name="credential_name_once_an_account",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["active", "suspended", "revoked", "deleted"]),
                name="credential_state",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "kind", "issued_at", "id"], name="credential_by_age"),
            models.Index(fields=["principal", "issued_at", "id"], name="credential_by_principal"),
            models.Index(
                fields=["organization", "kind", "state", "issued_at", "id"], name="credential_by_state"
            ),
            models.Index(fields=["organization", "name_folded"], name="credential_by_name"),
            models.Index(
                fields=["organization", "kind", "state", "issued_at", "id"],
                condition=models.Q(retires_at__isnull=False),
                name="credential_retiring",
            ),
            models.Index(
                fields=["organization", "expires_at"],
                condition=models.Q(state="active"),
                name="credential_by_expiry",
            ),
        ]
