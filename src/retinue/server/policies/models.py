"""Tables of policies: every version of each organization's document, and which one is in force."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class Version(models.Model):
    """One version of a policy document. Rows are only ever added, so what is read of one never gets old."""

    id = IdField(primary_key=True)
    organization = IdField()
    number = models.PositiveIntegerField()
    #: ``{preset, overrides, environments}``, as the organization stated it.
    document = models.JSONField()
    #: The keys whose value in force it changed.
    changed = models.JSONField(default=list)
    reason = models.CharField(max_length=1024, blank=True)
    created_at = models.DateTimeField()
    created_by = IdField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="policy_version_once")]


class Standing(models.Model):
    """The version that is in force in an organization."""

    organization = IdField(primary_key=True)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    #: ``freshness.lease_seconds`` of that version: every poll asks for the shortest of all.
    lease_seconds = models.PositiveIntegerField(default=10, db_index=True)
