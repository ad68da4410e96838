"""Grants and assigned roles: hand out, approve, take away. For principals, groups, teams, roles, policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from retinue.server.access import loading, queries, rules, selectors, subjects, touching
from retinue.server.access.checks import check_count, check_end, check_open, check_source, is_over
from retinue.server.access.handing import Handing
from retinue.server.access.models import Grant, Role, RoleAssignment
from retinue.server.access.paths import Link, Part, is_forbidden
from retinue.server.access.selectors import Selector
from retinue.server.access.subjects import Subject
from retinue.server.directory.queries import Principal
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a grant is copied, and whether it keeps to the teams of its holder as the role there did."""

    id: str = ""
    is_bound: bool = False


OWN = Origin()


def subject_of(principal: Principal) -> Subject:
    """Return a principal as a subject of grants."""
    return Subject(principal.id, principal.kind, principal.handle, principal.state == "deleted")


def grant(
    tx: Transaction,
    subject: Principal | Subject,
    permission: str,
    justification: str = "",
    *,
    resource: Selector = selectors.ALL,
    expires_at: datetime | None = None,
    origin: Origin = OWN,
    field: str = "permission",
    organization: str = "",
    is_kept: bool = False,
) -> Grant:
    """Grant a permission or pattern, on some resources, until some time. Refuses what is granted already.

    ``is_kept``: the subject held it, and more, by something that just went; that needs no ceiling.
    """
    organization, subject = _subject(subject, organization)
    handing = Handing.begin(tx, organization, justification)
    if is_kept:
        handing = replace(handing, held=None)
    check_alive(subject)
    check_end(expires_at, tx.now)
    covered = rules.check_pattern(permission, handing.catalogue, field)
    rules.check_installation(covered, field)
    rules.check_scopable(covered, resource, "resource")
    check_source(handing, subject, "direct", field)
    check_open(handing, subject)
    part = Part((permission,), resource, origin.is_bound or _is_bound(subject), ms(expires_at))
    terms = handing.terms(
        [part], to_service=handing.reaches_service(subject.id), expires_at=expires_at, field=field
    )
    found = Grant.objects.filter(subject=subject.id, permission=permission, resource=resource.text).first()
    if found is not None and not is_over(found.expires_at, tx.now):
        raise Refused("duplicate_name", f"{subject.name} holds a grant of {permission} already", field=field)
    if found is not None:
        delete_grant(tx, organization, found)
    made = Grant.objects.create(
        id=new_id("grt"),
        organization_id=organization,
        subject=subject.id,
        permission=permission,
        resource=resource.text,
        is_bound=origin.is_bound,
        origin=origin.id,
        justification=justification,
        granted_by=tx.actor.id,
        granted_at=tx.now,
        expires_at=terms.expires_at,
        is_pending=terms.is_pending,
    )
    name = f"{subject.name}/{permission}"
    tx.record("grant.created", made.id, name=name, organization=organization, after=stated(made))
    touching.subject(tx, organization, subject.id)
    return made


def assign(
    tx: Transaction,
    subject: Principal | Subject,
    role: Role,
    justification: str = "",
    *,
    expires_at: datetime | None = None,
    origin: str = "",
    field: str = "role",
    organization: str = "",
) -> RoleAssignment | None:
    """Assign a role to a principal, group, team or access policy; ``None`` if it holds it already."""
    organization, subject = _subject(subject, organization)
    handing = Handing.begin(tx, organization, justification)
    check_alive(subject)
    check_end(expires_at, tx.now)
    if subject.kind == "role":
        raise Refused(
            "invalid_value", "a role holds permissions, not roles; clone it instead", field="subject"
        )
    found = RoleAssignment.objects.select_related("role").filter(subject=subject.id, role=role).first()
    if found is not None and not is_over(found.expires_at, tx.now):
        return None
    check_source(handing, subject, "role", field)
    check_open(handing, subject)
    terms = handing.terms(
        check_role(handing, subject, role, field, expires_at),
        to_service=handing.reaches_service(subject.id),
        expires_at=expires_at,
        field=field,
    )
    if found is not None:
        take_role(tx, subject, found, organization)
    made = RoleAssignment.objects.create(
        id=new_id("asg"),
        subject=subject.id,
        role=role,
        origin=origin,
        justification=justification,
        granted_by=tx.actor.id,
        granted_at=tx.now,
        expires_at=terms.expires_at,
        is_pending=terms.is_pending,
    )
    name = f"{subject.name}/{role.handle}"
    tx.record("role.assigned", made.id, name=name, organization=organization, after=stated(made))
    touching.subject(tx, organization, subject.id)
    return made


def check_role(
    handing: Handing, subject: Subject, role: Role, field: str, expires_at: datetime | None = None
) -> list[Part]:
    """Refuse a role that its holders may never have; return what it gives, within the time."""
    facts = loading.of_holders([role.id])
    known = facts.roles[role.id]
    if is_forbidden(known, handing.policy) and handing.reaches_service(subject.id):
        raise Refused("forbidden_for_service", f"the role {role.handle} is for people only", field=field)
    if known.is_owner:
        _check_owner(handing, role, field)
        if not subject.is_principal:
            raise Refused("invalid_value", f"only a person holds the role {role.handle}", field=field)
    link = Link("role", role.id, role.name, until_ms=ms(expires_at))
    return [part.within(link) for part in facts.parts(role.id, handing.policy)]


def take_role(tx: Transaction, subject: Subject, assignment: RoleAssignment, organization: str) -> None:
    """Take a role away."""
    handing = Handing.begin(tx, organization)
    found = RoleAssignment.objects.select_related("role").filter(id=assignment.id).first()
    if found is None:  # Somebody else took it away before this could be locked.
        raise NotFound("assignment", assignment.id)
    assignment, role = found, found.role
    check_open(handing, subject)
    if role.like == "owner":
        _check_owner(handing, role, "roles")
    before, ident = stated(assignment), assignment.id
    assignment.delete()
    assignment.id = ident
    name = f"{subject.name}/{role.handle}"
    tx.record("role.removed", ident, name=name, organization=organization, before=before)
    touching.subject(tx, organization, subject.id)


def delete_grant(tx: Transaction, organization: str, grant: Grant) -> Grant:
    """Take a grant away. Raises :class:`NotFound` for one that is gone by now."""
    handing = Handing.begin(tx, organization)
    found = Grant.objects.filter(id=grant.id).first()
    if found is None:
        raise NotFound("grant", grant.id)
    subject = subjects.named(organization, [found.subject])[found.subject]
    check_open(handing, subject)
    before, ident = stated(found), found.id
    found.delete()
    found.id = ident
    name = f"{subject.name}/{found.permission}"
    tx.record("grant.deleted", ident, name=name, organization=organization, before=before)
    touching.subject(tx, organization, subject.id)
    return found


def stated(made: Grant | RoleAssignment) -> dict[str, Any]:
    """Return what an event says about a grant or an assigned role."""
    found: dict[str, Any] = {"subject": made.subject, "justification": made.justification}
    if isinstance(made, Grant):
        found |= {"permission": made.permission, "resource": made.resource, "is_bound": made.is_bound}
    else:
        found |= {"role_id": made.role_id, "role": made.role.handle}
    if made.expires_at is not None:
        found["expires_at"] = instant(made.expires_at)
    if made.origin:
        found["origin"] = made.origin
    return found | {"is_pending": made.is_pending}


def instant(at: datetime | None) -> str | None:
    """Return an instant as events write it."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _subject(subject: Principal | Subject, organization: str) -> tuple[str, Subject]:
    if isinstance(subject, Principal):
        return subject.organization_id, subject_of(subject)
    return organization, subject


def _is_bound(subject: Subject) -> bool:
    """What a role has without ``bypass_scopes`` keeps to the teams of its holder."""
    return subject.kind == "role" and not Role.objects.get(id=subject.id).bypass_scopes


def check_alive(subject: Subject) -> None:
    """Refuse a subject that is deleted."""
    if subject.is_deleted:
        raise Refused("state_conflict", f"{subject.name} is deleted")


def _check_owner(handing: Handing, role: Role, field: str) -> None:
    """Owner reaches permissions that are declared later, so only an owner may hand it out or take it away."""
    if handing.held is None:
        return
    mine = RoleAssignment.objects.filter(
        queries.in_force(handing.tx.now), subject=handing.tx.actor.id, role=role
    )
    if not mine.exists():
        raise Refused(
            "ceiling_exceeded", f"only an {role.handle} hands out the role {role.handle}", field=field
        )


def ms(at: datetime | None) -> int:
    """Return an instant as records carry it; 0 stands for never."""
    return 0 if at is None else int(at.timestamp()) * 1_000 + at.microsecond // 1_000


def set_roles(tx: Transaction, principal: Principal, roles: Sequence[str], justification: str = "") -> None:
    """Make ``roles`` exactly the roles of a principal."""
    handing = Handing.begin(tx, principal.organization_id, justification)
    wanted = [
        subjects.role(principal.organization_id, text, f"roles.{place}") for place, text in enumerate(roles)
    ]
    held = RoleAssignment.objects.select_related("role").filter(subject=principal.id)
    gone = list(held.filter(role__deleted_at__isnull=True).exclude(role__in=wanted))
    # First what is given: by a role that goes, one may have held what one gives oneself instead.
    assign_roles(tx, principal, roles, justification)
    for assignment in gone:
        take_role(tx, subject_of(principal), assignment, principal.organization_id)
    check_count(handing, principal)


def assign_roles(
    tx: Transaction,
    principal: Principal,
    roles: Sequence[str],
    justification: str = "",
    ends: Mapping[str, datetime | None] | None = None,
) -> None:
    """Assign roles that the principal does not hold yet, within ceiling, bans and justification.

    ``ends`` says of roles, by handle, when they end by themselves.
    """
    for place, text in enumerate(dict.fromkeys(roles)):
        field = f"roles.{place}"
        found = subjects.role(principal.organization_id, text, field)
        assign(tx, principal, found, justification, field=field, expires_at=(ends or {}).get(text))
