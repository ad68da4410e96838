"""Enable, disable or delete many service accounts at once."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.access.queries import holders_of
from retinue.server.api import bulk, schemas
from retinue.server.api.accounts import owner_meant
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions, queries
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.policies.queries import policy_of

TAG = "bulk"
PATH = "/bulk/service-accounts"


class AccountsWhere(schemas.Body):
    """Which service accounts: as the filters of their list."""

    state: Literal["enabled", "disabled", "deleted"] | None = None
    search: str | None = None
    role: str | None = None
    owner: str | None = None


class BulkAccounts(bulk.Bulk):
    """Service accounts, by id or handle, or by a filter."""

    accounts: list[str] = Field([], max_length=bulk.MOST)
    where: AccountsWhere | None = None


@operation("POST", f"{PATH}/enable", permission="service_account:enable", response=bulk.BulkResult, tag=TAG)
def enable_service_accounts(call: Call, body: BulkAccounts) -> schemas.JSON:
    """Enable many service accounts."""

    def act(account: Principal) -> Principal | None:
        return None if account.state == "enabled" else actions.enable(call.tx, account)

    return bulk.run(call, body, accounts(call, body), act, shown, "account")


@operation(
    "POST",
    f"{PATH}/disable",
    permission="service_account:disable",
    response=bulk.BulkResult,
    tag=TAG,
    reduces=True,
)
def disable_service_accounts(call: Call, body: BulkAccounts) -> schemas.JSON:
    """Disable many service accounts; none of their keys work until they are enabled again.

    Where the policy wants a handle typed (`accounts.disable_confirm`), their number is typed: `expected`.
    """

    def act(account: Principal) -> Principal | None:
        return None if account.state == "disabled" else actions.disable(call.tx, account, body.reason)

    rows = accounts(call, body)
    typed = policy_of(call.organization).accounts_disable_confirm == "typed"
    if typed and body.expected is None and not body.preview:
        detail = f"this organization wants the number typed: send expected: {len(rows)}"
        raise Refused("confirmation_required", detail, field="body.expected")
    return bulk.run(call, body, rows, act, shown, "account")


@operation(
    "POST",
    f"{PATH}/delete",
    permission="service_account:delete",
    response=bulk.BulkResult,
    tag=TAG,
    reduces=True,
)
def delete_service_accounts(call: Call, body: BulkAccounts) -> schemas.JSON:
    """Delete service accounts and revoke their keys for good; more than one if the policy lets that."""

    def act(account: Principal) -> Principal | None:
        if account.state == "deleted":
            return None
        return credentials.delete_account(call.tx, account, body.reason)

    rows = accounts(call, body)
    if len(rows) > 1 and not policy_of(call.organization).accounts_delete_bulk:
        raise Refused("state_conflict", "the policy lets accounts be deleted one at a time", field="accounts")
    return bulk.run(call, body, rows, act, shown, "account")


def accounts(call: Call, body: BulkAccounts) -> list[Principal]:
    """Return the accounts that are meant, locked until the commit, by id: two calls never wait in a ring."""
    bulk.check_named(body, body.accounts, body.where)
    if body.where is None:
        ids = {
            queries.find_principal(
                call.organization, text, Principal.SERVICE_ACCOUNT, field=f"accounts.{place}"
            ).id
            for place, text in enumerate(body.accounts)
        }
        rows = Principal.objects.filter(id__in=ids)
    else:
        filters: dict[str, Any] = body.where.model_dump(exclude={"role"})
        holders = None if body.where.role is None else holders_of(call.organization, body.where.role)
        filters["owner"] = owner_meant(call, body.where.owner)
        rows = queries.accounts(call.organization, holders=holders, **filters)
        rows = Principal.objects.filter(id__in=rows.values("id"))
    locked = list(rows.select_for_update(no_key=True).order_by("id")[: bulk.MOST + 1])
    bulk.check_meant(body, (row.id for row in locked))
    return locked


def shown(account: Principal) -> tuple[str, str | None, str | None]:
    """Return id, name and state of an account, as results list it."""
    return account.id, account.handle, account.state
