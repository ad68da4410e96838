"""Tables of the directory. A principal is never removed: deleting it leaves a tombstone."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from retinue.server.fields import IdField


class Organization(models.Model):
    """A customer of the host, or the host itself. Nothing of one is visible to another."""

    id = IdField(primary_key=True)
    handle = IdField(max_length=63, unique=True)
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=16, default="enabled")
    #: The organization that ``init`` created; its operators run the installation.
    is_installation = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["enabled", "disabled", "deleted"]),
                name="organization_state",
            ),
            models.UniqueConstraint(
                fields=["is_installation"], condition=models.Q(is_installation=True), name="one_installation"
            ),
        ]


class Principal(models.Model):
    """A user or a service account. Only its kind decides what it may never do."""

    USER = "user"
    SERVICE_ACCOUNT = "service_account"

    id = IdField(primary_key=True)
    # Indexes that begin with this column stand below.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="principals", db_index=False
    )
    kind = models.CharField(max_length=16)
    handle = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    email = models.CharField(max_length=254, blank=True)
    state = models.CharField(max_length=16, default="enabled")
    state_reason = models.CharField(max_length=1024, blank=True)
    description = models.TextField(blank=True)
    purpose = models.TextField(blank=True)
    documentation = models.CharField(max_length=2048, blank=True)
    environment = models.CharField(max_length=64, blank=True)
    systems = models.JSONField(default=list)
    #: Typed attributes, as the policy declares them.
    attributes = models.JSONField(default=dict, db_default={})
    #: What no other principal of the organization may have, as the policy said when it was made: `h:` and the
    #: handle, `n:` and the name, or nothing. Deleted accounts keep theirs reserved.
    unique_key = models.CharField(max_length=300, null=True)
    is_operator = models.BooleanField(default=False)
    #: A new service account that a second principal has not approved yet; it is disabled until then.
    awaits_approval = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)
    created_by = IdField(blank=True)
    owners = models.ManyToManyField(
        "self",
        symmetrical=False,
        through="Ownership",
        through_fields=("account", "owner"),
        related_name="owned",
    )

    class Meta:
        constraints = [
            # Where the policy wants no uniqueness there is no key, and none collides.
            models.UniqueConstraint(fields=["organization", "unique_key"], name="key_once_an_organization"),
            models.CheckConstraint(
                condition=models.Q(state__in=["enabled", "disabled", "deleted"]), name="principal_state"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["user", "service_account"]), name="principal_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(awaits_approval=False) | ~models.Q(state="enabled"),
                name="principal_waits_disabled",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "handle"], name="principal_by_handle"),
            models.Index(fields=["organization", "kind", "name", "id"], name="principal_by_name"),
            models.Index(fields=["organization", "kind", "state", "name", "id"], name="principal_by_state"),
            models.Index(fields=["organization", "kind", "created_at", "id"], name="principal_by_age"),
        ]


class Ownership(models.Model):
    """A user who answers for a service account. Metadata: the account never depends on it."""

    account = models.ForeignKey(
        Principal, on_delete=models.PROTECT, related_name="ownerships", db_index=False
    )
    owner = models.ForeignKey(Principal, on_delete=models.PROTECT, related_name="ownerships_held")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "owner"], name="owner_once_an_account")]


class LoginManager(BaseUserManager["Login"]):
    """Finds logins by e-mail address."""

    def get_queryset(self) -> models.QuerySet[Login]:
        """Return logins with their users and organizations: whoever reads one asks whether it works."""
        return super().get_queryset().select_related("principal__organization")

    def get_by_natural_key(self, username: str | None) -> Login:
        return self.get(email__iexact=username)


class SavedView(models.Model):
    """Filters, sort and columns of a list under a name, of one user or for the organization. Metadata."""

    id = IdField(primary_key=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, db_index=False)
    owner = models.ForeignKey(Principal, on_delete=models.PROTECT, related_name="saved_views", db_index=False)
    #: Which list, as the API calls it: `service-accounts`.
    list = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    name_folded = models.CharField(max_length=200)
    filters = models.JSONField(default=dict)
    sort = models.CharField(max_length=64, blank=True)
    columns = models.JSONField(default=list)
    density = models.CharField(max_length=16, blank=True)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "list", "name_folded"], name="view_once_an_owner"),
            models.UniqueConstraint(
                fields=["organization", "list", "name_folded"],
                condition=models.Q(is_shared=True),
                name="view_shared_once",
            ),
        ]


class Login(AbstractBaseUser):
    """How a person signs in to the console. Only users have one; a service account never does."""

    principal = models.OneToOneField(Principal, on_delete=models.PROTECT, related_name="login")
    email = models.EmailField(unique=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[LoginManager] = LoginManager()

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """A login works while its user and the organization are enabled; that of anybody but a user never."""
        who = self.principal
        return who.kind == who.USER and who.state == "enabled" and who.organization.state == "enabled"


class BrowserSession(AbstractBaseSession):
    """A session of the console. ``session_key`` is a digest: the key itself is in the browser alone."""

    login = models.ForeignKey(Login, null=True, on_delete=models.CASCADE, related_name="sessions")
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)


class Identity(models.Model):
    """A person at an identity provider: its issuer and its name for that person, never an e-mail address."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    login = models.ForeignKey(Login, on_delete=models.CASCADE, related_name="identities", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once"),
            models.UniqueConstraint(fields=["login", "issuer"], name="identity_once_a_login"),
        ]
