"""The table of credentials. It holds keyed digests; a deleted credential leaves a tombstone."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class Credential(models.Model):
    """One credential.

    ``principal`` is empty for an ingest token, which belongs to its organization, and for a node credential,
    which belongs to the installation.
    """

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
    #: The folded name where the policy wants names once; ``None`` where it does not care.
    name_claim = models.CharField(max_length=255, null=True)
    format = models.CharField(max_length=16, default="native")
    #: Of a token without a public key id, as many last characters as the policy shows.
    last_characters = models.CharField(max_length=5, blank=True)
    digest = models.BinaryField(max_length=32)
    pepper_id = models.CharField(max_length=16)
    #: What was digested: empty for the token itself, else what its maker or another system had made of it.
    scheme = models.CharField(max_length=64, blank=True)
    #: Older digests that are accepted until their time: ``{digest, pepper_id, scheme, valid_until}``.
    previous = models.JSONField(default=list)
    #: Networks, endpoints, methods and times that it is narrowed to; see :mod:`credentials.narrowing`.
    restrictions = models.JSONField(default=dict)
    state = models.CharField(max_length=16, default="active")
    reason = models.CharField(max_length=32, blank=True)
    reason_text = models.CharField(max_length=1024, blank=True)
    issued_at = models.DateTimeField()
    issued_by = IdField()
    expires_at = models.DateTimeField(null=True)
    #: It was given an end that had come already: it has expired on every clock.
    has_expired = models.BooleanField(default=False)
    rotate_by = models.DateTimeField(null=True)
    #: Set by a rotation: until then the predecessor is accepted beside its successor.
    retires_at = models.DateTimeField(null=True)
    #: The predecessor of a rotation retires earlier: when its successor is first allowed.
    retires_on_first_use = models.BooleanField(default=False)
    regenerated_at = models.DateTimeField(null=True)
    suspended_at = models.DateTimeField(null=True)
    restored_at = models.DateTimeField(null=True)
    rotated_from = IdField(blank=True)
    rotated_to = IdField(blank=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = IdField(blank=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # A revoked or rotated credential gives its name free; an expired one keeps it until deleted.
            models.UniqueConstraint(
                fields=["principal", "name_claim"],
                condition=models.Q(state__in=["active", "suspended"], retires_at__isnull=True),
                name="credential_name_once_an_account",
            ),
            models.UniqueConstraint(
                fields=["organization", "name_claim"],
                condition=models.Q(kind="ing", state__in=["active", "suspended"], retires_at__isnull=True),
                name="ingest_token_name_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["active", "suspended", "revoked", "deleted"]),
                name="credential_state",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "kind", "issued_at", "id"], name="credential_by_age"),
            models.Index(fields=["organization", "issued_at", "id"], name="credential_of_any_kind"),
            models.Index(fields=["organization", "state", "issued_at", "id"], name="credential_any_by_state"),
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
            models.Index(
                fields=["organization", "rotated_to"],
                # SQLite takes a partial index only where no value of its condition is a parameter.
                condition=models.Q(retires_on_first_use=True),
                name="credential_retiring_on_use",
            ),
        ]


class Lookup(models.Model):
    """Finds a credential whose token does not name its key id, by a keyed digest."""

    key = IdField(primary_key=True)
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="lookups")


class SlowHash(models.Model):
    """The slow hash of an imported key, encrypted under the pepper, until its token is first presented."""

    credential = models.OneToOneField(
        Credential, primary_key=True, on_delete=models.PROTECT, related_name="slow_hash"
    )
    sealed = models.BinaryField(max_length=1024)
    pepper_id = models.CharField(max_length=16)


class ImportScheme(models.Model):
    """How another system digested the tokens that an organization has imported.

    ``sealed`` is that system's key, encrypted under the pepper ``pepper_id``; empty where there is none.
    """

    id = IdField(primary_key=True)
    organization = models.ForeignKey(
        "directory.Organization", on_delete=models.PROTECT, related_name="import_schemes"
    )
    name = models.CharField(max_length=64)
    algorithm = models.CharField(max_length=16)
    prefix = models.CharField(max_length=64, blank=True)
    sealed = models.BinaryField(max_length=1024, blank=True)
    pepper_id = models.CharField(max_length=16, blank=True)
    #: Of a slow algorithm: so many characters at the beginning of a token are its public part.
    public = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    created_by = IdField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="import_scheme_name_once"),
            models.CheckConstraint(
                condition=models.Q(algorithm__in=["sha256", "sha512", "hmac-sha256", "argon2", "bcrypt"]),
                name="import_scheme_algorithm",
            ),
        ]


class DeviceSignIn(models.Model):
    """Somebody at a terminal asks for a session, which a person grants in the console (RFC 8628).

    It gives nobody access: the session is issued by a ledger transaction, after one that says who granted it.
    """

    id = IdField(primary_key=True)
    #: Keyed digests of the device code and of the code that a person enters.
    device_digest = models.BinaryField(max_length=32, unique=True)
    user_digest = models.BinaryField(max_length=32, unique=True)
    #: Shown on both sides, for the person to compare.
    words = models.CharField(max_length=64)
    client_name = models.CharField(max_length=64)
    address = models.CharField(max_length=64)
    scope = models.CharField(max_length=16, blank=True)
    state = models.CharField(max_length=16, default="pending")
    principal = models.ForeignKey(
        "directory.Principal", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    asked_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "granted", "denied", "used"]),
                name="device_sign_in_state",
            ),
        ]
