"""What can be done to access: the parts that others use stand here under one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from retinue.server.access import grant_actions, member_actions, queries, selectors
from retinue.server.access.catalogue_actions import declare
from retinue.server.access.checks import check_count
from retinue.server.access.copying import Source, hand_on
from retinue.server.access.grant_actions import (
    Origin,
    assign,
    assign_roles,
    grant,
    set_roles,
)
from retinue.server.access.handing import Handing, check_stronger, held_by
from retinue.server.access.matching import by_rule, check_matched
from retinue.server.access.member_actions import join_default
from retinue.server.access.models import Group, Membership
from retinue.server.access.queries import Grant, RoleAssignment
from retinue.server.access.setting_up import set_up_organization
from retinue.server.directory import actions as directory
from retinue.server.directory import queries as people
from retinue.server.directory import users
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import DECIDING, AccountFields
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction

__all__ = [
    "Origin",
    "Source",
    "assign",
    "assign_roles",
    "check_stronger",
    "create_account",
    "create_user",
    "declare",
    "delete_grant",
    "duplicate_account",
    "grant",
    "held_by",
    "rename_user",
    "set_roles",
    "set_up_organization",
    "update_account",
]


def delete_grant(tx: Transaction, account: Principal, grant_id: str) -> Grant:
    """Take a direct grant away. Raises ``NotFound`` for a grant that the principal does not have."""
    return grant_actions.delete_grant(tx, account.organization_id, queries.grant(account.id, grant_id))


def create_account(
    tx: Transaction,
    organization_id: str,
    fields: AccountFields,
    *,
    roles: Sequence[str] = (),
    permissions: Sequence[str] = (),
    groups: Sequence[Group] = (),
    justification: str = "",
    source: Source | None = None,
    is_own: bool = False,
    ends: Mapping[str, datetime | None] | None = None,
) -> Principal:
    """Create a service account with its roles, direct grants, groups and teams: all of it or nothing.

    ``source`` is the account or role whose permissions are copied or linked. ``is_own`` says that the product
    makes it for itself: nothing is asked of it that the policy asks of people, and nobody has to approve it.
    ``ends`` says when roles end.
    """
    handing = Handing.begin(tx, organization_id, justification)
    if not is_own:
        directory.check_required_access(
            organization_id, fields.environment, roles=len(roles), groups=len(groups)
        )
    account = directory.create_service_account(tx, organization_id, fields, is_first=is_own)
    check_matched(handing, account, [], [name for name in DECIDING if getattr(fields, name)])
    join_default(tx, account, handing.policy.default_groups)
    assign_roles(tx, account, roles, justification, ends)
    for place, permission in enumerate(dict.fromkeys(permissions)):
        grant(tx, account, permission, justification, field=f"permissions.{place}")
    _join(tx, account, groups, justification)
    if source is not None:
        hand_on(tx, handing, account, source, justification)
    check_count(handing, account)
    return account


def _join(tx: Transaction, account: Principal, groups: Sequence[Group], justification: str) -> None:
    for group in groups:
        try:
            member_actions.add(tx, group, [account], justification)
        except Refused as refused:
            place = [each.id for each in groups if each.kind == group.kind].index(group.id)
            field = f"{group.kind}s.{place}"
            raise Refused(refused.code, refused.detail, field=field, required=refused.required) from None


def update_account(
    tx: Transaction, account: Principal, changes: dict[str, Any], justification: str = ""
) -> Principal:
    """Change fields of a service account. It gains by no rule what the actor may not hand out."""
    handing = Handing.begin(tx, account.organization_id, justification)
    had = by_rule(handing, account)
    updated = directory.update_account(tx, account, changes)
    check_matched(handing, updated, had, changes)
    return updated


def create_user(tx: Transaction, organization_id: str, *, email: str, name: str) -> Principal:
    """Create a user without a password. Conditions give them nothing that the actor may not hand out."""
    handing = Handing.begin(tx, organization_id)
    user = directory.create_user(tx, organization_id, email=email, name=name)
    check_matched(handing, user, [], ["name"])
    return user


def rename_user(tx: Transaction, user: Principal, name: str) -> Principal:
    """Give a user another name. They gain by no rule what the actor may not hand out."""
    handing = Handing.begin(tx, user.organization_id)
    had = by_rule(handing, user)
    renamed = users.rename(tx, user, name)
    check_matched(handing, renamed, had, ["name"])
    return renamed


def duplicate_account(tx: Transaction, source: Principal, *, name: str, justification: str = "") -> Principal:
    """Create an account like ``source``, without credentials: fields, roles, grants, groups, teams."""
    fields = AccountFields(
        name=name,
        description=source.description,
        purpose=source.purpose,
        documentation=source.documentation,
        environment=source.environment,
        systems=tuple(source.systems),
        attributes=source.attributes,
        owners=tuple(owner.id for owner in people.owners_of([source.id])[source.id]),
    )
    why = justification or f"as {source.handle} ({source.id})"
    rows = RoleAssignment.objects.filter(queries.in_force(tx.now), subject=source.id)
    held = dict(
        rows.filter(role__deleted_at__isnull=True)
        .order_by("role__handle")
        .values_list("role__handle", "expires_at")
    )
    members = _memberships(source, tx.now)
    account = create_account(
        tx,
        source.organization_id,
        fields,
        roles=list(held),
        ends=held,
        groups=[each.group for each in members if each.expires_at is None],
        justification=why,
    )
    for each in queries.grants(source.id).filter(queries.in_force(tx.now)):
        grant(
            tx,
            account,
            each.permission,
            why,
            resource=selectors.stored(each.resource),
            expires_at=each.expires_at,
            origin=Origin(source.id, each.is_bound),
        )
    for member in (each for each in members if each.expires_at is not None):
        member_actions.add(tx, member.group, [account], why, expires_at=member.expires_at)
    return account


def _memberships(source: Principal, now: datetime) -> list[Membership]:
    """Return where somebody put an account in, and who did not have to wait; rules put its copy in anyway."""
    rows = Membership.objects.select_related("group").filter(queries.in_force(now), principal=source)
    return list(rows.filter(group__deleted_at__isnull=True, group__rule="").order_by("group__id"))
