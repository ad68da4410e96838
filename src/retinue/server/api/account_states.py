"""The states of service accounts: enable, approve, disable, restore."""

from __future__ import annotations

from retinue.server.api import schemas
from retinue.server.api.account_schemas import ServiceAccount
from retinue.server.api.accounts import ONE, TAG, one
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions, queries


@operation("POST", f"{ONE}/enable", permission="service_account:enable", response=ServiceAccount, tag=TAG)
def enable_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Enable a disabled service account."""
    return one(call, actions.enable(call.tx, queries.account(call.organization, account_id, lock=True)))


@operation("POST", f"{ONE}/approve", permission="service_account:approve", response=ServiceAccount, tag=TAG)
def approve_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Approve a new service account that waits: not by who created it. It is enabled then."""
    return one(call, actions.approve(call.tx, queries.account(call.organization, account_id, lock=True)))


@operation(
    "POST",
    f"{ONE}/disable",
    permission="service_account:disable",
    response=ServiceAccount,
    tag=TAG,
    reduces=True,
)
def disable_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Disable a service account; none of its keys work until it is enabled again."""
    account = queries.account(call.organization, account_id, lock=True)
    return one(call, actions.disable(call.tx, account, body.reason))


@operation("POST", f"{ONE}/restore", permission="service_account:delete", response=ServiceAccount, tag=TAG)
def restore_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Restore a deleted service account: disabled, without its keys."""
    account = queries.account(call.organization, account_id)
    return one(call, credentials.restore_account(call.tx, account, body.reason))
