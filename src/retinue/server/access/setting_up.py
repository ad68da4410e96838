"""What an organization begins with: the roles, groups and teams of its policy."""

from __future__ import annotations

from retinue.server.access import touching
from retinue.server.access.models import AccessPolicy, Group, Role
from retinue.server.access.roles import ROLES
from retinue.server.directory.queries import Organization, Principal
from retinue.server.directory.rules import fold
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.policy import RoleTemplate, SystemGroup
from retinue.server.policies.queries import policy_of
from retinue.server.policies.rules import Compiled


def set_up_organization(tx: Transaction, organization: Organization) -> None:
    """Create the roles of ``roles.templates`` and the groups and teams of ``system_groups``.

    What is there already by its handle or name stays as it is.
    """
    policy = policy_of(organization.id)
    roles = set(
        Role.objects.filter(organization=organization, deleted_at__isnull=True).values_list(
            "handle", flat=True
        )
    )
    for template in policy.roles_templates:
        if template.handle not in roles:
            _role(tx, organization, template)
    groups = set(
        Group.objects.filter(organization=organization, deleted_at__isnull=True).values_list(
            "kind", "name_folded"
        )
    )
    for group in policy.system_groups:
        if (group.kind, fold(group.name)) not in groups:
            _group(tx, organization, group)


def follow_policy(tx: Transaction, organization_id: str, before: Compiled, after: Compiled) -> None:
    """Make an organization have what its policy says now: new roles and groups, locks, and what is banned.

    What the policy no longer names stays, as something of the organization's own. Refuses another rule for
    the members of a group that exists.
    """
    was, is_ = before.policy, after.policy
    _check_rules(organization_id, was.system_groups, is_.system_groups)
    if (was.roles_templates, was.system_groups) != (is_.roles_templates, is_.system_groups):
        set_up_organization(tx, Organization.objects.get(id=organization_id))
        _lock_anew(tx, organization_id, is_.system_groups)
    bans = (was.forbidden_for_service, was.grants_sources)
    if bans == (is_.forbidden_for_service, is_.grants_sources):
        return
    holders = Group.objects.filter(organization_id=organization_id).values_list("id", flat=True)
    policies = AccessPolicy.objects.filter(organization_id=organization_id).values_list("id", flat=True)
    touching.holder(tx, organization_id, [*holders, *policies])
    accounts = Principal.objects.filter(organization_id=organization_id, kind=Principal.SERVICE_ACCOUNT)
    for ident in accounts.values_list("id", flat=True):
        touching.subject(tx, organization_id, ident)


def _check_rules(organization_id: str, was: tuple[SystemGroup, ...], wanted: tuple[SystemGroup, ...]) -> None:
    """Refuse another rule: whoever joins by it would get what the group has, and nobody handed it out."""
    known = {(each.kind, each.name, each.members) for each in was}
    rows = Group.objects.filter(organization_id=organization_id, deleted_at__isnull=True)
    for each in wanted:
        if (each.kind, each.name, each.members) in known:
            continue
        rule = _rule(each)
        row = rows.filter(kind=each.kind, name_folded=fold(each.name)).exclude(rule=rule).first()
        if row is not None:
            raise Refused(
                "state_conflict",
                f"system_groups: {row.name} exists, and its members stay {row.rule or 'chosen'};"
                " delete it, or take another name",
                field="overrides.system_groups",
            )


def _rule(stated: SystemGroup) -> str:
    return "" if stated.members == "chosen" else stated.members


def _lock_anew(tx: Transaction, organization_id: str, wanted: tuple[SystemGroup, ...]) -> None:
    stated = {(each.kind, fold(each.name)): each for each in wanted}
    for group in Group.objects.filter(organization_id=organization_id, deleted_at__isnull=True):
        system = stated.get((group.kind, group.name_folded))
        locked = group.locked if system is None else list(system.locked)
        if locked == group.locked:
            continue
        before, group.locked, group.updated_at = group.locked, locked, tx.now
        group.save()
        tx.record(
            f"{group.kind}.updated",
            group.id,
            name=group.name,
            organization=organization_id,
            before={"locked": before},
            after={"locked": locked},
        )


def _role(tx: Transaction, organization: Organization, template: RoleTemplate) -> None:
    native = ROLES.get(template.like)
    made = Role.objects.create(
        id=new_id("rol"),
        organization=organization,
        handle=template.handle,
        name=template.name,
        description="" if native is None else native.description,
        like=template.like,
        patterns=list(template.permissions),
        bypass_scopes=native is not None and native.bypass_scopes,
        created_at=tx.now,
        created_by=tx.actor.id,
        updated_at=tx.now,
    )
    tx.record(
        "role.created", made.id, name=made.handle, organization=organization.id, after=stated_role(made)
    )
    touching.holder(tx, organization.id, [made.id])


def _group(tx: Transaction, organization: Organization, stated: SystemGroup) -> None:
    made = Group.objects.create(
        id=new_id("tea" if stated.kind == Group.TEAM else "grp"),
        organization=organization,
        kind=stated.kind,
        name=stated.name,
        name_folded=fold(stated.name),
        rule=_rule(stated),
        locked=list(stated.locked),
        created_at=tx.now,
        created_by=tx.actor.id,
        updated_at=tx.now,
    )
    event = f"{made.kind}.created"
    tx.record(event, made.id, name=made.name, organization=organization.id, after=stated_group(made))
    touching.holder(tx, organization.id, [made.id])


def stated_role(role: Role) -> dict[str, object]:
    """Return what an event says about a role."""
    return {
        "handle": role.handle,
        "name": role.name,
        "description": role.description,
        "like": role.like,
        "patterns": role.patterns,
        "bypass_scopes": role.bypass_scopes,
    }


def stated_group(group: Group) -> dict[str, object]:
    """Return what an event says about a group or team."""
    return {
        "name": group.name,
        "description": group.description,
        "rule": group.rule,
        "match": group.match,
        "conditions": group.conditions,
        "locked": group.locked,
    }
