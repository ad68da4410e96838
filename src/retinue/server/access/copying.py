"""Permissions of a new account after those of another account or a role: copied once, or linked and live."""

from __future__ import annotations

from dataclasses import dataclass

from retinue.server.access import loading, member_actions, queries, rules, selectors, subjects
from retinue.server.access.grant_actions import Origin, assign, grant
from retinue.server.access.handing import Handing
from retinue.server.access.models import Grant, Membership, RoleAssignment
from retinue.server.access.paths import Part
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Source:
    """An account or role (id or handle), and the mode: copy or link."""

    text: str
    kind: str = "account"
    mode: str = "copy"


@dataclass(frozen=True, slots=True)
class Drift:
    """How copied grants differ from what their origin gives now: only there, and only here."""

    origin: str
    missing: list[str]
    extra: list[str]


def hand_on(
    tx: Transaction, handing: Handing, account: Principal, source: Source, justification: str
) -> None:
    """Give a new account the permissions of a source. Ceiling, bans and justification hold as ever."""
    allowed = handing.policy.accounts_copy_permissions
    if source.kind not in allowed.from_ or source.mode not in allowed.modes:
        stated = f"from {', '.join(allowed.from_) or 'nothing'}; {', '.join(allowed.modes) or 'no mode'}"
        raise Refused("source_not_allowed", f"permissions are copied {stated} here", field="source")
    why = justification or f"{source.mode} of {source.text}"
    if source.kind == "role":
        role = subjects.role(account.organization_id, source.text, "source")
        if source.mode == "link":
            assign(tx, account, role, why, origin=role.id, field="source")
        else:
            parts = handing.parts_of(role.id)
            _copy(tx, handing, account, parts, role.id, why)
        return
    found = _account(account.organization_id, source.text)
    if source.mode == "link":
        _link(tx, account, found, why)
    else:
        held = queries.holdings([found])[found.id]
        _copy(tx, handing, account, list(held.parts), found.id, why)


def _account(organization: str, text: str) -> Principal:
    found = subjects.find(organization, text, "source")
    if found.kind != "service_account":
        raise Refused("invalid_value", "a service account or a role", field="source")
    return Principal.objects.get(id=found.id)


def _copy(
    tx: Transaction, handing: Handing, account: Principal, parts: list[Part], origin: str, why: str
) -> None:
    """Grant directly what the parts give; what everybody of the kind has need not be copied."""
    given: set[tuple[str, str]] = set()
    for part in parts:
        banned = set(handing.policy.forbidden_for_service.permissions)
        for pattern in part.patterns:
            place = (pattern, part.selector.text)
            if place in given or part.until_ms or part.reaches or part.selector.reach == "teams":
                continue
            if "*" not in pattern and pattern in banned:
                continue
            given.add(place)
            grant(
                tx,
                account,
                pattern,
                why,
                resource=part.selector,
                origin=Origin(origin, part.is_bound),
                field="source",
            )


def _link(tx: Transaction, account: Principal, found: Principal, why: str) -> None:
    on = queries.in_force(tx.now)
    for each in RoleAssignment.objects.select_related("role").filter(on, subject=found.id):
        if each.role.deleted_at is None:
            assign(tx, account, each.role, why, expires_at=each.expires_at, origin=found.id, field="source")
    for member in Membership.objects.select_related("group").filter(on, principal=found):
        if member.group.deleted_at is None and not member.group.rule:
            member_actions.add(tx, member.group, [account], why, expires_at=member.expires_at)
    for row in queries.grants(found.id).filter(on):
        grant(
            tx,
            account,
            row.permission,
            why,
            resource=selectors.stored(row.resource),
            expires_at=row.expires_at,
            origin=Origin(found.id, row.is_bound),
            field="source",
        )


def drift(account: Principal) -> list[Drift]:
    """Return how what was copied differs from its origins now, by permission; equal ones are left out."""
    copied: dict[str, set[str]] = {}
    names = queries.catalogue()
    for row in Grant.objects.filter(subject=account.id).exclude(origin=""):
        part = Part((row.permission,), selectors.stored(row.resource))
        copied.setdefault(row.origin, set()).update(rules.names_of(part, names))
    held = queries.holdings([account])[account.id].anywhere
    found = []
    for origin, here in sorted(copied.items()):
        there = _gives(origin, names)
        if there - held or here - there:
            found.append(Drift(origin, sorted(there - held), sorted(here - there)))
    return found


def _gives(origin: str, names: dict[str, int]) -> set[str]:
    if origin.startswith("rol_"):
        facts = loading.of_holders([origin])
        role = facts.roles.get(origin)
        patterns = () if role is None else role.patterns
        return set(rules.names_of(Part(patterns), names)) | {
            name
            for row in Grant.objects.filter(queries.in_force(), subject=origin)
            for name in rules.names_of(Part((row.permission,)), names)
        }
    principal = Principal.objects.filter(id=origin).first()
    return set() if principal is None else set(queries.holdings([principal])[origin].anywhere)
