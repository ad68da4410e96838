"""Tables of access. A permission keeps its index for ever; a withdrawn one is never reused."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class Permission(models.Model):
    """A permission of the installation's catalogue, declared by the host or reserved for management."""

    name = IdField(max_length=128, primary_key=True)
    #: Position in every bit mask. Never changes and is never given to another permission.
    index = models.PositiveIntegerField(unique=True)
    label = models.CharField(max_length=255, blank=True)
    description = models.TextField(blank=True)
    sensitivity = models.CharField(max_length=16, default="normal")
    is_management = models.BooleanField(default=False)
    is_withdrawn = models.BooleanField(default=False)


class RoleAssignment(models.Model):
    """A principal holds a role."""

    id = IdField(primary_key=True)
    principal = models.ForeignKey(
        "directory.Principal", on_delete=models.PROTECT, related_name="role_assignments", db_index=False
    )
    role = models.CharField(max_length=64)
    justification = models.TextField(blank=True)
    granted_by = IdField()
    granted_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["principal", "role"], name="role_once_a_principal")]
        indexes = [models.Index(fields=["role", "principal"], name="role_assignment_by_role")]


class Grant(models.Model):
    """A permission, or a pattern of permissions, that a principal holds directly."""

    id = IdField(primary_key=True)
    principal = models.ForeignKey(
        "directory.Principal", on_delete=models.PROTECT, related_name="grants", db_index=False
    )
    permission = models.CharField(max_length=128)
    justification = models.TextField(blank=True)
    granted_by = IdField()
    granted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["principal", "permission"], name="grant_once_a_principal")
        ]
