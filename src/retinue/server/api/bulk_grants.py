"""Give a permission or a role to many service accounts at once, or take it away from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field

from retinue.server.access import actions, grant_actions, listing, selectors, subjects
from retinue.server.access.checks import check_most, is_over
from retinue.server.api import bulk, schemas
from retinue.server.api.bulk_accounts import PATH, TAG, BulkAccounts, accounts, shown
from retinue.server.api.grants import EXPIRES, RESOURCE, ending
from retinue.server.api.operations import Call, operation
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused

Act = Callable[[Principal], Principal | None]


class BulkTake(BulkAccounts):
    """A permission, or a role, that service accounts hold directly; on whichever resources."""

    permission: str = ""
    role: str = Field("", description="Handle of a role, instead of a permission.")


class BulkGrant(BulkTake):
    """A permission, or a role, for service accounts; an item with the state `pending` waits for approval."""

    resource: Any = Field("*", description=RESOURCE)
    expires: str | None = Field(None, description=EXPIRES)
    justification: str = ""


@operation("POST", f"{PATH}/grant", permission="grant:create", response=bulk.BulkResult, tag=TAG)
def grant_to_service_accounts(call: Call, body: BulkGrant) -> schemas.JSON:
    """Grant a permission to many service accounts, or assign them a role; who holds it is left alone."""
    _check_one(body.permission, body.role)
    waiting: set[str] = set()
    act = _granting(call, body, waiting) if body.permission else _assigning(call, body, waiting)

    def told(account: Principal) -> tuple[str, str | None, str | None]:
        ident, name, state = shown(account)
        return ident, name, "pending" if ident in waiting else state

    return bulk.run(call, body, accounts(call, body), act, told, "account")


@operation(
    "POST",
    f"{PATH}/take-back",
    permission="grant:delete",
    response=bulk.BulkResult,
    tag=TAG,
    reduces=True,
)
def take_from_service_accounts(call: Call, body: BulkTake) -> schemas.JSON:
    """Take the direct grants of a permission, or a role, from many service accounts."""
    _check_one(body.permission, body.role)
    act = _taking_grants(call, body.permission) if body.permission else _taking_role(call, body.role)
    return bulk.run(call, body, accounts(call, body), act, shown, "account")


def _check_one(permission: str, role: str) -> None:
    if bool(permission) == bool(role):
        raise Refused("invalid_value", "either a permission or a role", field="permission")


def _granting(call: Call, body: BulkGrant, waiting: set[str]) -> Act:
    resource, ends = selectors.parse(body.resource), ending(body.expires, call.now)

    def act(account: Principal) -> Principal | None:
        held = listing.grant_rows(call.organization, subject=account.id, permission=body.permission)
        if any(each.resource == resource.text and not is_over(each.expires_at, call.now) for each in held):
            return None
        made = actions.grant(
            call.tx, account, body.permission, body.justification, resource=resource, expires_at=ends
        )
        waiting.update([account.id] if made.is_pending else [])
        return account

    return act


def _assigning(call: Call, body: BulkGrant, waiting: set[str]) -> Act:
    role, ends = subjects.role(call.organization, body.role, "role"), ending(body.expires, call.now)

    def act(account: Principal) -> Principal | None:
        made = actions.assign(call.tx, account, role, body.justification, expires_at=ends)
        if made is None:
            return None
        check_most(call.organization, grant_actions.subject_of(account))
        waiting.update([account.id] if made.is_pending else [])
        return account

    return act


def _taking_grants(call: Call, permission: str) -> Act:
    def act(account: Principal) -> Principal | None:
        held = list(listing.grant_rows(call.organization, subject=account.id, permission=permission))
        for each in held:
            grant_actions.delete_grant(call.tx, call.organization, each)
        return account if held else None

    return act


def _taking_role(call: Call, handle: str) -> Act:
    role = subjects.role(call.organization, handle, "role")

    def act(account: Principal) -> Principal | None:
        found = listing.assignment_rows(call.organization, subject=account.id, role=role.handle).first()
        if found is None:
            return None
        subject = grant_actions.subject_of(account)
        grant_actions.take_role(call.tx, subject, found, call.organization)
        check_most(call.organization, subject)
        return account

    return act
