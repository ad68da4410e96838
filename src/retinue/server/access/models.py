"""Tables of access. A permission keeps its index for ever; a withdrawn one is never reused.

Roles, groups and access policies that are deleted leave a tombstone: what named them stays as it is and gives
nothing, so the end of one that many hold is one change.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

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
    #: Who declares it: the host's file, or an import. Neither withdraws what the other declared.
    declared_by = models.CharField(max_length=16, default="file")


class Named(models.Model):
    """What roles, groups, teams and access policies share: a name in their organization, and a life."""

    id = IdField(primary_key=True)
    organization = models.ForeignKey(
        "directory.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = IdField(blank=True)
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class Role(Named):
    """A named set of permissions of an organization."""

    handle = models.CharField(max_length=63)
    #: Permissions and patterns, beside those of ``like``.
    patterns = models.JSONField(default=list)
    #: The native role whose permissions it has, also those that a later version adds; empty once edited.
    like = models.CharField(max_length=63, blank=True)
    #: Reaches the resources of every team, not only those of the holder's own.
    bypass_scopes = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "handle"], condition=Q(deleted_at__isnull=True), name="role_handle"
            )
        ]


class Group(Named):
    """A set of principals that carries roles and grants. A team is one that has resources as well."""

    GROUP = "group"
    TEAM = "team"

    kind = models.CharField(max_length=8, default=GROUP)
    name_folded = models.CharField(max_length=255)
    #: Who belongs to it by rule: users, service_accounts, all, condition; empty: people choose the members.
    rule = models.CharField(max_length=16, blank=True)
    #: With the rule ``condition``: all or any of the conditions hold.
    match = models.CharField(max_length=3, default="all")
    conditions = models.JSONField(default=list)
    #: Parts that nobody changes: membership, name, grants, deletion.
    locked = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "name_folded"],
                condition=Q(deleted_at__isnull=True),
                name="group_name",
            )
        ]
        indexes = [models.Index(fields=["organization", "rule"], name="group_by_rule")]


class Handed(models.Model):
    """What somebody hands out: by whom, when, why, until when, and whether a second person has to agree."""

    id = IdField(primary_key=True)
    justification = models.TextField(blank=True)
    granted_by = IdField()
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    #: Waits for a second principal, and gives nothing until then.
    is_pending = models.BooleanField(default=False)
    approved_by = IdField(blank=True)

    class Meta:
        abstract = True


class Membership(Handed):
    """A principal belongs to a group or team."""

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="memberships", db_index=False)
    principal = models.ForeignKey("directory.Principal", on_delete=models.PROTECT, related_name="memberships")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "principal"], name="member_once_a_group")]


class RoleAssignment(Handed):
    """A principal, group, team or access policy holds a role; ``subject`` is its id."""

    subject = IdField()
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="assignments", db_index=False)
    #: From which account or role it was copied.
    origin = IdField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "role"], name="role_once_a_subject")]
        indexes = [models.Index(fields=["role", "subject"], name="role_assignment_by_role")]


class Grant(Handed):
    """A permission or pattern on resources, for a principal, group, team, role or access policy."""

    subject = IdField()
    organization = models.ForeignKey(
        "directory.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    permission = models.CharField(max_length=128)
    #: A selector in its one spelling, see ``selectors``.
    resource = models.CharField(max_length=2048, default='"*"')
    #: Reaches the resources of teams only in the holder's own, as the role did that it was copied from.
    is_bound = models.BooleanField(default=False)
    #: From which account or role it was copied.
    origin = IdField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "permission", "resource"], name="grant_once_a_subject")
        ]
        indexes = [models.Index(fields=["organization", "granted_at", "id"], name="grant_by_organization")]


class AccessPolicy(Named):
    """A rule that becomes grants: whom it matches has its roles and grants, as long as it matches."""

    name_folded = models.CharField(max_length=255)
    match = models.CharField(max_length=3, default="all")
    conditions = models.JSONField(default=list)
    #: Ids of principals, groups and teams that it names.
    subjects = models.JSONField(default=list)
    is_enabled = models.BooleanField(default=True)
    is_locked = models.BooleanField(default=False)
    #: Who made the change that waits for a second principal; empty: nothing waits.
    pending_by = IdField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name_folded"],
                condition=Q(deleted_at__isnull=True),
                name="access_policy_name",
            )
        ]


class TeamResource(models.Model):
    """A resource of the host belongs to a team."""

    organization = models.ForeignKey(
        "directory.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    team = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="resources", db_index=False)
    resource = IdField(max_length=128)
    #: Finds its record on nodes: ``organization/resource``.
    key = IdField(max_length=160)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "resource"], name="resource_once_a_team")]
        indexes = [models.Index(fields=["key"], name="team_resource_by_key")]
