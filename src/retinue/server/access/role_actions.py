"""Roles: create, change, clone, delete. A change is one record on nodes, however many hold the role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Q

from retinue.server.access import handles, rules, touching
from retinue.server.access.handing import Handing
from retinue.server.access.models import Grant, Role, RoleAssignment
from retinue.server.access.paths import Part
from retinue.server.access.roles import ROLES, first_role
from retinue.server.access.setting_up import stated_role
from retinue.server.directory import rules as names
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction

PATTERNS_MAX = 1_000
#: What may be changed of a role.
FIELDS = ("name", "handle", "description", "permissions", "bypass_scopes")


def find(organization: str, ident: str) -> Role:
    """Return a role of an organization by id. Raises :class:`NotFound`."""
    found = Role.objects.filter(organization_id=organization, id=ident, deleted_at__isnull=True).first()
    if found is None:
        raise NotFound("role", ident)
    return found


def create(
    tx: Transaction,
    organization: str,
    *,
    name: str,
    handle: str | None = None,
    description: str = "",
    permissions: Sequence[str] = (),
    bypass_scopes: bool = False,
) -> Role:
    """Create a role. Refuses a taken handle, and what the actor does not hold."""
    handing = Handing.begin(tx, organization)
    role = Role(
        id=new_id("rol"),
        organization_id=organization,
        name=names.check_name(name),
        handle=handles.check(name, handle),
        description=check_description(description),
        patterns=_patterns(handing, permissions),
        bypass_scopes=bypass_scopes,
        created_at=tx.now,
        created_by=tx.actor.id,
        updated_at=tx.now,
    )
    _check_free(role)
    if handing.held is not None:
        part = Part(tuple(role.patterns), is_bound=not bypass_scopes)
        rules.check_ceiling(part, handing.held, handing.policy, "permissions")
    role.save(force_insert=True)
    tx.record("role.created", role.id, name=role.handle, organization=organization, after=stated_role(role))
    touching.holder(tx, organization, [role.id])
    return role


def update(tx: Transaction, role: Role, changes: dict[str, Any], justification: str = "") -> Role:
    """Change fields of a role. Whoever holds it gains nothing that the actor may not hand out."""
    handing = Handing.begin(tx, role.organization_id, justification)
    role = find(role.organization_id, role.id)
    before, had = stated_role(role), handing.parts_of(role.id)
    _check_changeable(handing, role, changes)
    if "name" in changes:
        role.name = names.check_name(changes["name"])
    if "handle" in changes:
        role.handle = handles.check(role.name, changes["handle"])
    if "description" in changes:
        role.description = check_description(changes["description"])
    if "permissions" in changes:
        role.patterns, role.like = _patterns(handing, changes["permissions"]), ""
    if "bypass_scopes" in changes:
        role.bypass_scopes = changes["bypass_scopes"]
    _check_free(role)
    after = stated_role(role)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return role
    role.updated_at = tx.now
    role.save()
    handing.gained(
        had, handing.parts_of(role.id), to_service=handing.reaches_service(role.id), field="permissions"
    )
    tx.record(
        "role.updated",
        role.id,
        name=role.handle,
        organization=role.organization_id,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    touching.holder(tx, role.organization_id, [role.id])
    return role


def _check_changeable(handing: Handing, role: Role, changes: dict[str, Any]) -> None:
    if role.like == "owner" and {"permissions", "bypass_scopes", "handle"} & changes.keys():
        raise Refused(
            "locked", "Owner is everything in the organization; make another role", field="permissions"
        )
    renamed = "handle" in changes and changes["handle"] != role.handle
    if renamed and role.handle in handing.policy.forbidden_for_service.roles:
        raise Refused(
            "locked",
            f"the policy keeps the role {role.handle} from service accounts by this handle",
            field="handle",
        )


def clone(tx: Transaction, role: Role, *, name: str, handle: str | None = None) -> Role:
    """Create a role with the same permissions; nobody holds it yet."""
    if role.like == "owner":
        raise Refused("locked", "Owner cannot be cloned; clone Administrator", field="role_id")
    made = create(
        tx,
        role.organization_id,
        name=name,
        handle=handle,
        description=role.description,
        permissions=patterns_of(role),
        bypass_scopes=role.bypass_scopes,
    )
    handing = Handing.begin(tx, role.organization_id)
    for grant in Grant.objects.filter(subject=role.id, is_pending=False):
        made_grant = Grant.objects.get(id=grant.id)
        made_grant.id, made_grant.subject, made_grant.origin = new_id("grt"), made.id, role.id
        made_grant.granted_by, made_grant.granted_at = tx.actor.id, tx.now
        made_grant.save(force_insert=True)
        tx.record(
            "grant.created",
            made_grant.id,
            name=f"{made.handle}/{grant.permission}",
            organization=role.organization_id,
            after={"subject": made.id, "permission": grant.permission, "resource": grant.resource},
        )
    if handing.held is not None:
        for part in handing.parts_of(made.id):
            rules.check_ceiling(part, handing.held, handing.policy, "role_id")
    return made


def delete(tx: Transaction, role: Role, *, from_holders: bool = False) -> Role:
    """Delete a role. Refuses one that is held, unless ``from_holders`` says that they lose it."""
    handing = Handing.begin(tx, role.organization_id)
    role = find(role.organization_id, role.id)
    if role.like == "owner" or role.handle == first_role(handing.policy):
        raise Refused("locked", f"an organization keeps its role {role.name}", field="role_id")
    held = RoleAssignment.objects.filter(role=role)
    count = held.count()
    if count and not from_holders:
        raise Refused("state_conflict", f"{count} hold {role.handle}; say that they lose it (holders=lose)")
    least = handing.policy.grants_roles_per_account.min
    accounts = list(held.filter(subject__startswith="sa_").values_list("subject", flat=True))
    short = (
        RoleAssignment.objects.filter(subject__in=accounts)
        .values("subject")
        .annotate(count=Count("id", filter=Q(role__deleted_at__isnull=True)))
        .filter(count__lte=least)
        .count()
    )
    if least and short:
        raise Refused("state_conflict", f"{short} service accounts would have fewer than {least} role")
    before = stated_role(role)
    role.deleted_at = role.updated_at = tx.now
    role.save()
    tx.record("role.deleted", role.id, name=role.handle, organization=role.organization_id, before=before)
    touching.holder(tx, role.organization_id, [role.id])
    return role


def patterns_of(role: Role) -> list[str]:
    """Return the permissions and patterns of a role, with those of the native role that it is like."""
    native = ROLES.get(role.like)
    return list(dict.fromkeys([*(native.patterns if native else ()), *role.patterns]))


def check_description(text: str) -> str:
    """Return a description; refuses one that is too long or holds a token."""
    if len(text) > names.TEXT_MAX:
        raise Refused("invalid_value", f"at most {names.TEXT_MAX} characters", field="description")
    names.check_no_token(text, "description")
    return text


def _patterns(handing: Handing, permissions: Sequence[str]) -> list[str]:
    if len(permissions) > PATTERNS_MAX:
        raise Refused("invalid_value", f"at most {PATTERNS_MAX}; use patterns", field="permissions")
    for place, pattern in enumerate(permissions):
        field = f"permissions.{place}"
        covered = rules.check_pattern(pattern, handing.catalogue, field)
        rules.check_installation(covered if "*" not in pattern else (), field)
    return list(dict.fromkeys(permissions))


def _check_free(role: Role) -> None:
    taken = Role.objects.filter(
        organization_id=role.organization_id, handle=role.handle, deleted_at__isnull=True
    ).exclude(id=role.id)
    if taken.exists():
        raise Refused("duplicate_name", f"there is a role {role.handle!r} already", field="handle")


__all__ = ["FIELDS", "clone", "create", "delete", "find", "patterns_of", "update"]
