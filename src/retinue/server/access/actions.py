"""What can be done to access: declare permissions, assign roles, grant permissions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from retinue.replica.records import Kind
from retinue.server.access import queries, rules
from retinue.server.access.catalogue import INSTALLATION, MANAGEMENT, Declaration, expand
from retinue.server.access.models import Grant, Permission, RoleAssignment
from retinue.server.access.roles import ROLES, Role
from retinue.server.directory import actions as directory
from retinue.server.directory import queries as people
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import SYSTEM, Actor, Transaction
from retinue.server.policies.policy import policy_of


def held_by(actor: Actor) -> rules.Held | None:
    """Return what an actor effectively holds, for the grant ceiling; ``None`` for Retinue itself."""
    if actor.kind == SYSTEM.kind:
        return None
    principal = people.principals([actor.id]).get(actor.id)
    return rules.Held() if principal is None else queries.holdings([principal])[principal.id]


def check_stronger(actor: Actor, principal: Principal, field: str | None = None) -> None:
    """Refuse to hand out a credential of an account that can do more than the actor."""
    if actor.kind == SYSTEM.kind or actor.id == principal.id:
        return
    acting = people.principals([actor.id]).values()
    held = queries.holdings([principal, *acting])
    rules.check_ceiling(
        held[principal.id].names,
        sorted(pattern for pattern, _ in held[principal.id].patterns),
        held.get(actor.id, rules.Held()),
        policy_of(principal.organization_id),
        field or "account",
    )


def create_account(
    tx: Transaction,
    organization_id: str,
    fields: AccountFields,
    *,
    roles: Sequence[str] = (),
    permissions: Sequence[str] = (),
    justification: str = "",
) -> Principal:
    """Create a service account with its roles and direct grants: all of it or nothing."""
    account = directory.create_service_account(tx, organization_id, fields)
    assign_roles(tx, account, roles, justification)
    for place, permission in enumerate(dict.fromkeys(permissions)):
        grant(tx, account, permission, justification, field=f"permissions.{place}")
    return account


def duplicate_account(tx: Transaction, source: Principal, *, name: str, justification: str = "") -> Principal:
    """Create an account like ``source``: its fields, owners, roles and grants, without its credentials."""
    fields = AccountFields(
        name=name,
        description=source.description,
        purpose=source.purpose,
        documentation=source.documentation,
        environment=source.environment,
        systems=tuple(source.systems),
        owners=tuple(owner.id for owner in people.owners_of([source.id])[source.id]),
    )
    return create_account(
        tx,
        source.organization_id,
        fields,
        roles=queries.roles_of([source.id])[source.id],
        permissions=list(queries.grants(source).values_list("permission", flat=True)),
        justification=justification or f"as {source.handle} ({source.id})",
    )


def set_roles(tx: Transaction, principal: Principal, roles: Sequence[str], justification: str = "") -> None:
    """Make ``roles`` exactly the roles of a principal."""
    wanted = [rules.role(handle, f"roles.{place}").handle for place, handle in enumerate(roles)]
    for assignment in RoleAssignment.objects.filter(principal=principal).exclude(role__in=wanted):
        _remove_role(tx, principal, assignment)
    assign_roles(tx, principal, roles, justification)


def assign_roles(
    tx: Transaction, principal: Principal, roles: Sequence[str], justification: str = ""
) -> None:
    """Assign roles that the principal does not hold yet, within ceiling, bans and justification."""
    if not roles:
        return
    directory.check_alive(principal)
    rules.check_justification_text(justification)
    policy = policy_of(principal.organization_id)
    names = queries.catalogue()
    held = held_by(tx.actor)
    present = set(RoleAssignment.objects.filter(principal=principal).values_list("role", flat=True))
    for place, handle in enumerate(dict.fromkeys(roles)):
        field = f"roles.{place}"
        handed = rules.role(handle, field)
        if handed.handle in present:
            continue
        rules.check_role_for_kind(handed, principal.kind, policy, field)
        covered = rules.role_names([handed.handle], names)
        if held is not None:
            _check_owner_handed_by_owner(tx.actor, handed, field)
            rules.check_ceiling(covered, handed.patterns, held, policy, field)
            rules.check_justification(covered, justification, policy)
        _assign(tx, principal, handed, justification)


def _assign(tx: Transaction, principal: Principal, handed: Role, justification: str) -> None:
    made = RoleAssignment.objects.create(
        id=new_id("asg"),
        principal=principal,
        role=handed.handle,
        justification=justification,
        granted_by=tx.actor.id,
        granted_at=tx.now,
    )
    tx.record(
        "role.assigned",
        made.id,
        name=f"{principal.handle}/{handed.handle}",
        organization=principal.organization_id,
        after={"principal": principal.id, "role": handed.handle, "justification": justification},
    )
    tx.touch(Kind.PRINCIPAL, principal.id)


def _remove_role(tx: Transaction, principal: Principal, assignment: RoleAssignment) -> None:
    before = {"principal": principal.id, "role": assignment.role, "justification": assignment.justification}
    ident = assignment.id
    held = held_by(tx.actor)
    role = ROLES.get(assignment.role)
    if held is not None and role is not None:
        _check_owner_handed_by_owner(tx.actor, role, "roles")
    assignment.delete()
    name = f"{principal.handle}/{assignment.role}"
    tx.record("role.removed", ident, name=name, organization=principal.organization_id, before=before)
    tx.touch(Kind.PRINCIPAL, principal.id)


def _check_owner_handed_by_owner(actor: Actor, handed: Role, field: str) -> None:
    """Owner reaches permissions that are declared later, so only an owner may hand it out or take it away."""
    if (
        handed.people_only
        and not RoleAssignment.objects.filter(principal_id=actor.id, role=handed.handle).exists()
    ):
        raise Refused(
            "ceiling_exceeded", f"only an {handed.handle} hands out the role {handed.handle}", field=field
        )


def grant(
    tx: Transaction,
    principal: Principal,
    permission: str,
    justification: str = "",
    *,
    field: str = "permission",
) -> Grant:
    """Grant a permission, or a pattern of permissions, directly. Refuses one that is granted already."""
    directory.check_alive(principal)
    rules.check_justification_text(justification)
    policy = policy_of(principal.organization_id)
    covered = rules.check_pattern(permission, queries.catalogue(), field)
    rules.check_installation(covered, field)
    rules.check_grant_for_kind(covered, principal.kind, policy, field)
    held = held_by(tx.actor)
    if held is not None:
        rules.check_ceiling(covered, [permission], held, policy, field)
        rules.check_justification(covered, justification, policy)
    if Grant.objects.filter(principal=principal, permission=permission).exists():
        raise Refused(
            "duplicate_name", f"{principal.handle} holds a grant of {permission} already", field=field
        )
    made = Grant.objects.create(
        id=new_id("grt"),
        principal=principal,
        permission=permission,
        justification=justification,
        granted_by=tx.actor.id,
        granted_at=tx.now,
    )
    name = f"{principal.handle}/{permission}"
    tx.record(
        "grant.created", made.id, name=name, organization=principal.organization_id, after=_stated(made)
    )
    tx.touch(Kind.PRINCIPAL, principal.id)
    return made


def delete_grant(tx: Transaction, principal: Principal, grant_id: str) -> Grant:
    """Take a direct grant away. Raises ``NotFound`` for a grant that the principal does not have."""
    found = queries.grant(principal, grant_id)
    before = _stated(found)
    found.delete()
    found.id = grant_id
    name = f"{principal.handle}/{found.permission}"
    tx.record("grant.deleted", grant_id, name=name, organization=principal.organization_id, before=before)
    tx.touch(Kind.PRINCIPAL, principal.id)
    return found


def _stated(made: Grant) -> dict[str, str]:
    return {
        "principal": made.principal_id,
        "permission": made.permission,
        "justification": made.justification,
    }


def declare(tx: Transaction, declarations: Sequence[Declaration]) -> None:
    """Make the catalogue hold the management permissions and exactly these of the host.

    A permission that is no longer declared is withdrawn: it leaves every set at once, and its index is
    never given to another. Who holds a pattern or a role that covers a new one gets it.
    """
    wanted = {name: Declaration(name) for name in MANAGEMENT}
    wanted |= {declared.name: declared for declared in declarations}
    present = {row.name: row for row in Permission.objects.select_for_update()}
    installation = people.installation()
    home = "" if installation is None else installation.id
    free = max((row.index for row in present.values()), default=-1) + 1
    moved: set[str] = set()
    for name, declared in wanted.items():
        row = present.get(name)
        before = {} if row is None else _described(row)
        if before == _described(declared):
            continue
        if row is None:
            row = Permission(name=name, index=free, is_management=name in MANAGEMENT)
            free += 1
        if not before.get("declared"):
            moved.add(name)
        _describe(tx, home, row, before, _described(declared))
    for name, row in present.items():
        if name not in wanted and not row.is_withdrawn:
            moved.add(name)
            before = _described(row)
            _describe(tx, home, row, before, {**before, "declared": False})
    if moved:
        _touch_sets(tx, moved)


def _described(what: Permission | Declaration) -> dict[str, Any]:
    """Return what an event says about a permission."""
    declared = isinstance(what, Declaration) or not what.is_withdrawn
    return {
        "declared": declared,
        "label": what.label,
        "description": what.description,
        "sensitivity": what.sensitivity,
    }


def _describe(
    tx: Transaction, home: str, row: Permission, before: dict[str, Any], after: dict[str, Any]
) -> None:
    row.is_withdrawn = not after["declared"]
    row.label, row.description, row.sensitivity = after["label"], after["description"], after["sensitivity"]
    row.save(force_insert=not before)
    if before.get("declared") == after["declared"]:
        event = "permission.described"
    else:
        event = "permission.declared" if after["declared"] else "permission.withdrawn"
    tx.record(event, row.name, name=row.name, organization=home, before=before, after=after)
    tx.touch(Kind.PERMISSION, row.name)


def _touch_sets(tx: Transaction, moved: Collection[str]) -> None:
    """Compile anew what covers one of the permissions that came or went, and nothing else."""
    for role in ROLES.values():
        if role.names(moved):
            tx.touch(Kind.HOLDER, role.holder_id)
    granted = Grant.objects.values_list("permission", flat=True).distinct()
    covering = [pattern for pattern in granted if expand([pattern], moved)]
    for ident in Grant.objects.filter(permission__in=covering).values_list("principal_id", flat=True):
        tx.touch(Kind.PRINCIPAL, ident)
    if INSTALLATION.intersection(moved):
        for ident in Principal.objects.filter(is_operator=True).values_list("id", flat=True):
            tx.touch(Kind.PRINCIPAL, ident)
    for ident in people.Organization.objects.values_list("id", flat=True):
        if not set(policy_of(ident).forbidden_for_service.permissions).isdisjoint(moved):
            tx.touch(Kind.ORGANIZATION, ident)
