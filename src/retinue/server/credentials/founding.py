"""A new organization with its first administrator: a person who is invited, or a service account.

The operator of the installation makes it and hands it over: by the invitation, with which the person chooses
a password, or by the first key of the account. Operators hold nothing inside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from retinue.server.access import actions as access
from retinue.server.access.handing import held_by
from retinue.server.access.queries import is_assigned
from retinue.server.access.queries import roles_of as held_roles
from retinue.server.access.roles import ROLES, first_role
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import invitations
from retinue.server.credentials.models import Credential
from retinue.server.credentials.writing import Issued
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Login, Organization, Principal, users
from retinue.server.directory.rules import AccountFields, email_address
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, Transaction
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of
from retinue.token import Kind

_WHY = "first administrator"


@dataclass(frozen=True, slots=True)
class Founded:
    """A new organization, who holds it, and what is handed over: an invitation or a key."""

    organization: Organization
    holder: Principal
    issued: Issued


def found(
    tx: Transaction,
    *,
    handle: str,
    name: str,
    preset: str,
    person: tuple[str, str] | None,
    account: str | None,
) -> Founded:
    """Make an organization with the policy of a preset and its first administrator: all of it or nothing.

    ``person`` is (e-mail address, name), ``account`` the name of a service account: one of the two.
    """
    if (person is None) == (account is None):
        raise Refused(
            "missing_field",
            "one must hold it: an administrator, or a service account",
            field="administrator",
        )
    organization = directory.create_organization(tx, handle=handle, name=name, preset=preset)
    access.set_up_organization(tx, organization)
    if person is not None:
        return _invited(tx, organization, person)
    policy = policy_of(organization.id)
    fields = AccountFields(name=account or "", purpose=_WHY, description=_WHY)
    with _as_retinue(tx):
        made = directory.create_service_account(tx, organization.id, fields, is_first=True)
        _let_administer(tx, made, policy)
        return Founded(organization, made, credentials.issue(tx, made, name="first"))


def invite_again(tx: Transaction, organization: Organization, person: tuple[str, str]) -> Founded:
    """Invite the first administrator anew, or another one, after the invitation was lost or has ended.

    Refuses once somebody can enter: from then on the organization is its own; operators hold nothing in it.
    """
    Organization.objects.select_for_update(no_key=True).get(id=organization.id)
    keys = Credential.objects.filter(organization=organization).exclude(kind=Kind.INVITATION.value)
    if Login.objects.filter(principal__organization=organization).exists() or keys.exists():
        raise Refused("state_conflict", f"{organization.handle} has its administrator; ask there")
    for other in users(organization.id).exclude(handle=person[0].strip().lower()):
        credentials.delete_account(tx, other, "another first administrator is invited")
    return _invited(tx, organization, person)


def _invited(tx: Transaction, organization: Organization, person: tuple[str, str]) -> Founded:
    policy, email = policy_of(organization.id), email_address(person[0])
    user = users(organization.id, email=email, state="enabled").first()
    with _as_retinue(tx):
        if user is None:
            user = directory.create_user(tx, organization.id, email=email, name=person[1])
        access.assign_roles(tx, user, [first_role(policy)], _WHY)
        return Founded(organization, user, invitations.invite(tx, user))


@contextmanager
def naming_first(tx: Transaction, organization_id: str, roles: Sequence[str]) -> Iterator[None]:
    """Let the first person who may do everything be named by who may do less: create and invite inside.

    An organization that a service account has founded has nobody with the role that may do everything, and
    the account cannot have it: it is for people. So as long as nobody has it, a service account that may do
    all that an administrator may gives it, alone, to one new person; then the grant ceiling holds as ever.
    """
    policy = policy_of(organization_id)
    first = first_role(policy)
    if tx.actor.kind != Principal.SERVICE_ACCOUNT or list(roles) != [first]:
        yield
        return
    Organization.objects.select_for_update(no_key=True).get(id=organization_id)
    held = held_by(tx.actor)
    needed = {each for each in ROLES["administrator"].patterns if "*" not in each}
    needed -= set(policy.forbidden_for_service.permissions)
    if is_assigned(organization_id, first) or held is None or not held.names >= needed:
        yield
        return
    with _as_retinue(tx):
        yield


def check_may_go(tx: Transaction, user: Principal) -> None:
    """Refuse to disable or delete oneself, the last who may do everything, and the last operator."""
    if user.id == tx.actor.id:
        raise Refused("state_conflict", "nobody ends themselves; another one with the permission does it")
    Organization.objects.select_for_update(no_key=True).get(id=user.organization_id)
    others = users(user.organization_id, state="enabled").exclude(id=user.id)
    if user.is_operator and not others.filter(is_operator=True).exists():
        raise Refused("state_conflict", f"{user.email} is the last operator of the installation")
    check_not_last(user)


def check_roles_may_go(principal: Principal, roles: Sequence[str]) -> None:
    """Refuse to take the role that may do everything from the last user who holds it; ``roles`` stay."""
    if principal.kind == Principal.USER and first_role(policy_of(principal.organization_id)) not in roles:
        check_not_last(principal)


def check_not_last(user: Principal) -> None:
    """Refuse the end of the last enabled user who may do everything, or of that user's role."""
    Organization.objects.select_for_update(no_key=True).get(id=user.organization_id)
    role = first_role(policy_of(user.organization_id))
    enabled = users(user.organization_id, state="enabled").values_list("id", flat=True)
    holders = {ident for ident, held in held_roles([*enabled, user.id]).items() if role in held}
    if holders == {user.id}:
        raise Refused("state_conflict", f"{user.email} is the last enabled user with the role {role}")


def _let_administer(tx: Transaction, account: Principal, policy: Policy) -> None:
    """Give a service account what it needs to administer: a role, or grants where accounts hold no roles."""
    if "role" in policy.grants_sources and policy.grants_roles_per_account.max != 0:
        access.assign_roles(tx, account, [service_role(policy)], _WHY)
        return
    banned = policy.forbidden_for_service.permissions
    for permission in ROLES["administrator"].patterns:
        if permission not in banned:
            access.grant(tx, account, permission, _WHY)


def service_role(policy: Policy) -> str:
    """Return the role of a service account that administers: like Administrator, which it can hold."""
    alike = [each.handle for each in policy.roles_templates if each.like == "administrator"]
    return alike[0] if alike else first_role(policy)


@contextmanager
def _as_retinue(tx: Transaction) -> Iterator[None]:
    """Nobody in a new organization could hand out its first role, so Retinue does; events name who acts."""
    actor = tx.actor
    tx.actor = replace(actor, kind=SYSTEM.kind)
    try:
        yield
    finally:
        tx.actor = actor
