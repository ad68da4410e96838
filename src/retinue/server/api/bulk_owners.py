"""Give many service accounts other owners at once."""

from __future__ import annotations

from pydantic import Field

from retinue.server.access import actions
from retinue.server.api import bulk, schemas
from retinue.server.api.accounts import owners_named
from retinue.server.api.bulk_accounts import PATH, TAG, BulkAccounts, accounts, shown
from retinue.server.api.operations import Call, operation
from retinue.server.directory import queries
from retinue.server.directory.queries import Principal


class BulkOwners(BulkAccounts):
    """Service accounts, and who owns each from now on."""

    owners: list[str] = Field(max_length=100, description="Users, each by id, e-mail address or handle.")


@operation(
    "POST",
    f"{PATH}/set-owners",
    permission="service_account:update",
    response=bulk.BulkResult,
    tag=TAG,
)
def set_owners_of_service_accounts(call: Call, body: BulkOwners) -> schemas.JSON:
    """Give many service accounts other owners; who owned them before does not any more."""
    wanted = owners_named(call, body.owners)
    rows = accounts(call, body)
    held = queries.owners_of([row.id for row in rows])

    def act(account: Principal) -> Principal | None:
        if {owner.id for owner in held[account.id]} == set(wanted):
            return None
        return actions.update_account(call.tx, account, {"owners": wanted}, "")

    return bulk.run(call, body, rows, act, shown, "account")
