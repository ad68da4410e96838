"""Tables of traffic, written in batches that nodes ship; never on the path of a decision."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class Request(models.Model):
    """One decision about a genuine token. Account and credential are as they were at that time."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    organization = IdField()
    account = IdField(blank=True)
    account_kind = models.CharField(max_length=16, blank=True)
    account_name = models.CharField(max_length=255, blank=True)
    credential = IdField(blank=True)
    allowed = models.BooleanField()
    reason = models.CharField(max_length=32, blank=True)
    permission = models.CharField(max_length=128, blank=True)
    method = models.CharField(max_length=16, blank=True)
    path = models.CharField(max_length=2048, blank=True)
    address = models.CharField(max_length=45, blank=True)
    client = models.CharField(max_length=255, blank=True)
    node = models.CharField(max_length=63)
    revision = models.PositiveBigIntegerField(default=0)
    duration_us = models.PositiveIntegerField(default=0)
    #: As the answer told it; a node tells it of denials only.
    request_id = IdField(blank=True, default="")
    #: The template of the path, and what the host answered (0: not known); guards tell them.
    route = models.CharField(max_length=512, blank=True, default="")
    status = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-at", "-id"], name="request_by_organization"),
            models.Index(fields=["organization", "account", "-at", "-id"], name="request_by_account"),
            models.Index(fields=["organization", "request_id"], name="request_by_request_id"),
            models.Index(
                fields=["organization", "-at", "-id"],
                condition=models.Q(allowed=False),
                name="request_denied",
            ),
        ]


class SpoolProgress(models.Model):
    """The next sequence number that is expected from a spool: what makes shipping exactly once."""

    node = models.CharField(max_length=63)
    spool = models.CharField(max_length=64)
    next = models.PositiveBigIntegerField(default=0)
    #: Entries that never arrived because the node's disk was full or a batch was unreadable.
    missing = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "spool"], name="progress_once_a_spool")]


class Usage(models.Model):
    """First and last allowed use of a credential, and how often. Only ever moves forward."""

    credential = IdField(primary_key=True)
    account = IdField(blank=True, db_index=True)
    first_used_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    last_address = models.CharField(max_length=45, blank=True)
    last_client = models.CharField(max_length=255, blank=True)
    last_node = models.CharField(max_length=63, blank=True)
    count = models.PositiveBigIntegerField(default=0)


class Exercise(models.Model):
    """First and last allowed use of a permission by an account, and how often. Only ever moves forward."""

    account = IdField()
    permission = models.CharField(max_length=128)
    organization = IdField()
    first_used_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "permission"], name="exercise_once_a_permission")
        ]


class Origin(models.Model):
    """From which network a credential was used (/24 of IPv4, /48 of IPv6), first, last, and how often."""

    credential = IdField()
    network = models.CharField(max_length=45)
    organization = IdField()
    first_used_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["credential", "network"], name="origin_once")]
        indexes = [models.Index(fields=["last_used_at"], name="origin_by_age")]


class OrganizationHour(models.Model):
    """How many records of the request log an organization has of one hour (UTC), by how was decided."""

    organization = IdField()
    hour = models.DateTimeField()
    allowed = models.BooleanField()
    reason = models.CharField(max_length=32, blank=True)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "hour", "allowed", "reason"], name="organization_hour_once"
            )
        ]


class CredentialHour(models.Model):
    """How many records of the request log a credential has of one hour (UTC): allowed, and denied."""

    organization = IdField()
    account = IdField(blank=True)
    hour = models.DateTimeField()
    credential = IdField(blank=True)
    allowed = models.BigIntegerField()
    denied = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "account", "hour", "credential"], name="credential_hour_once"
            )
        ]
